// The numbers and pictures of a run: stats.jsonl, metrics.csv, TensorBoard, samples/.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <sstream>

#include "core/files.h"
#include "core/formats/json_file.h"
#include "train/event_file.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line + ",");
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  return fields;
}

// The columns of metrics.csv after "step"; none if there is no such file.
std::vector<std::string> csv_columns(const fs::path& path) {
  if (!fs::exists(path)) return {};
  const std::string text = read_file(path, "table of metrics");
  auto columns = split(text.substr(0, text.find('\n')));
  columns.erase(columns.begin());
  return columns;
}

std::string csv_header(const std::vector<std::string>& columns) {
  std::string line = "step";
  for (const auto& name : columns) line += "," + name;
  return line + "\n";
}

// Rewrites the file with columns added; old rows get empty fields.
void add_csv_columns(const fs::path& path, const std::vector<std::string>& columns, size_t added) {
  std::string text = csv_header(columns);
  std::istringstream old(read_file(path, "table of metrics"));
  std::string line;
  std::getline(old, line);
  while (std::getline(old, line)) text += line + std::string(added, ',') + "\n";
  write_atomically(path, text);
}

// Keeps the complete lines that `keep` accepts.
template <class Keep>
void filter_lines(const fs::path& path, const Keep& keep) {
  if (!fs::exists(path)) return;
  const std::string text = read_file(path, "record of the run");
  std::string kept;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    if (keep(line)) kept += line + "\n";
  }
  if (kept != text) write_atomically(path, kept);
}

}  // namespace

EventFile& RunFolder::event_file() {
  if (!open_->events) open_->events = std::make_unique<EventFile>(path_, open_->first_step);
  return *open_->events;
}

void RunFolder::record(int64_t step, const std::map<std::string, double>& values) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  nlohmann::ordered_json row{{"step", step},
                             {"time", std::chrono::duration_cast<std::chrono::milliseconds>(now).count() / 1000.0}};
  for (const auto& [name, value] : values) row[name] = value;  // JSON has no NaN: nlohmann writes null
  append_text("stats.jsonl", row.dump() + "\n");

  const fs::path csv = path_ / "metrics.csv";
  if (!open_->columns) open_->columns = csv_columns(csv);
  auto& columns = *open_->columns;
  size_t added = 0;
  for (const auto& [name, value] : values) {
    TORCH_CHECK(name.find_first_of(",\"\n") == std::string::npos, "a metric's name is a CSV header: ", name);
    if (std::find(columns.begin(), columns.end(), name) != columns.end()) continue;
    columns.push_back(name);
    ++added;
  }
  if (added > 0 && fs::exists(csv)) add_csv_columns(csv, columns, added);
  std::string line = std::to_string(step);
  for (const auto& name : columns) {
    const auto value = values.find(name);
    line += ",";
    if (value != values.end() && std::isfinite(value->second)) line += fmt::format("{}", value->second);
  }
  const bool is_new = !fs::exists(csv) || fs::file_size(csv) == 0;
  append_text("metrics.csv", (is_new ? csv_header(columns) : "") + line + "\n");

  EventFile& events = event_file();
  for (const auto& [name, value] : values) events.add_scalar(name, value, step);
  events.flush();
}

void RunFolder::record_image(int64_t step, const std::string& name, std::string_view png, int64_t height,
                             int64_t width) {
  write_atomically(path_ / "samples" / fmt::format("{:07}.png", step), png);
  EventFile& events = event_file();
  events.add_image(name, png, height, width, step);
  events.flush();
}

void RunFolder::record_text(int64_t step, const std::string& text) const {
  write_atomically(path_ / "samples" / fmt::format("{:07}.txt", step), text);
}

void RunFolder::rewind(int64_t step) {
  filter_lines(path_ / "stats.jsonl", [&](const std::string& line) {
    const auto row = try_parse_json(line);
    return row && row->is_object() && row->contains("step") && (*row)["step"].is_number_integer() &&
           (*row)["step"] <= step;
  });
  size_t fields = 0;
  filter_lines(path_ / "metrics.csv", [&](const std::string& line) {
    const auto row = split(line);
    if (fields == 0 && row[0] == "step") {
      fields = row.size();
      return true;
    }
    int64_t of = -1;
    const auto [end, error] = std::from_chars(row[0].data(), row[0].data() + row[0].size(), of);
    return row.size() == fields && error == std::errc{} && end == row[0].data() + row[0].size() && of <= step;
  });
  open_->columns.reset();
  open_->events.reset();
  open_->first_step = step + 1;
}

}  // namespace uvic
