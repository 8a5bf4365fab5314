#include "app/inspect/run_record.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <sstream>

#include "app/cli/checks.h"
#include "app/training/training_run.h"
#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/text_file.h"

namespace uvic {
namespace {

constexpr std::string_view kSpeed = "_per_second", kCheckpointName = "checkpoint-";

bool is_own(const fs::path& path, fs::file_type type) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == type;
}

std::vector<fs::path> own_entries(const fs::path& folder, fs::file_type type) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_own(entry.path(), type)) found.push_back(entry.path());
  return found;
}

// Complete lines of a file that may grow; none if there is no such file.
std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  if (!is_own(file, fs::file_type::regular)) return lines;
  const std::string text = read_file(file, "record of the run");
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

std::optional<int64_t> whole(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<RunRow> parse_row(const std::string& line) {
  const auto json = try_parse_json(line);
  if (!json || !json->is_object() || !json->contains("step") || !(*json)["step"].is_number_integer())
    return std::nullopt;
  RunRow row{.step = (*json)["step"].get<int64_t>(), .values = {}};
  if (row.step < 0) return std::nullopt;
  for (const auto& [name, value] : json->items()) {
    if (name == "step" || !value.is_number() || !std::isfinite(value.get<double>())) continue;
    if (name == "time")
      row.time = value.get<double>();
    else
      row.values[name] = value.get<double>();
  }
  return row;
}

double saved_at(const fs::path& file) {
  std::error_code error;
  const auto time = fs::last_write_time(file, error);
  if (error) return 0;
  return std::chrono::duration<double>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  for (const fs::path& file : own_entries(folder, fs::file_type::regular)) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

// Of a setting, at least 1.
double factor(const RunRecord& run, const std::string& key) {
  return static_cast<double>(std::max<int64_t>(1, whole(run.setting(key)).value_or(1)));
}

RunState state_of(const RunRecord& run) {
  if (RunFolder::open(run.folder).is_being_trained()) return RunState::kTraining;
  if (run.steps > 0 && run.step >= run.steps) return RunState::kFinished;
  return run.rows.empty() && run.checkpoints.empty() ? RunState::kNotBegun : RunState::kStopped;
}

}  // namespace

std::string RunRecord::setting(const std::string& key) const {
  for (const TomlItem& item : settings)
    if (item.section + "." + item.key == key) return item.value;
  return "";
}

std::vector<RunRow> read_rows(const fs::path& run, int64_t after) {
  std::vector<RunRow> rows;
  for (const std::string& line : lines_of(run / "stats.jsonl")) {
    const auto row = parse_row(line);
    if (!row) continue;
    while (!rows.empty() && rows.back().step >= row->step) rows.pop_back();
    rows.push_back(*row);
  }
  std::erase_if(rows, [after](const RunRow& row) { return row.step <= after; });
  return rows;
}

std::vector<SampleFile> list_samples(const fs::path& run) {
  std::vector<SampleFile> samples;
  if (!is_own(run / "samples", fs::file_type::directory)) return samples;
  for (const fs::path& file : own_entries(run / "samples", fs::file_type::regular)) {
    const auto step = whole(file.stem().string());
    if (step && *step >= 0 && (file.extension() == ".png" || file.extension() == ".txt"))
      samples.push_back({*step, file});
  }
  std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return samples;
}

SavedCheckpoint read_checkpoint_state(const fs::path& checkpoint) {
  const fs::path file = checkpoint / "state.json";
  const std::string damaged = file.string() + " is damaged";
  const nlohmann::json json = parse_json(read_file(file, "checkpoint's state"), damaged + ": it");
  SavedCheckpoint saved{.step = json_whole(json, "step", damaged, 0), .name = checkpoint.filename().string()};
  if (json.contains("best_score") && !json["best_score"].is_null())
    saved.best_score = json_number(json, "best_score", damaged);
  return saved;
}

std::vector<SavedCheckpoint> list_checkpoints(const fs::path& run) {
  std::error_code error;
  const fs::path best = fs::read_symlink(run / "best", error).filename();
  std::vector<SavedCheckpoint> found;
  for (const fs::path& folder : own_entries(run, fs::file_type::directory)) {
    const std::string name = folder.filename().string();
    const bool is_one = name.starts_with(kCheckpointName) && whole(name.substr(kCheckpointName.size()));
    if (!is_one || !is_own(folder / "state.json", fs::file_type::regular)) continue;
    try {
      found.push_back(read_checkpoint_state(folder));
    } catch (const Error&) {
      if (fs::exists(folder / "state.json")) throw;
      continue;
    }
    found.back().bytes = bytes_in(folder);
    found.back().time = saved_at(folder / "state.json");
    found.back().is_best = folder.filename() == best;
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

bool is_speed(std::string_view name) {
  return name.ends_with(kSpeed) || name.starts_with("rank_seconds");
}

bool is_score(std::string_view name) {
  return name != "loss" && name != "grad_norm" && name != "lr" && !is_speed(name) && !name.ends_with(kScoreLow) &&
         !name.ends_with(kScoreHigh);
}

std::vector<ScoreRow> scores_in(const std::vector<RunRow>& rows) {
  std::vector<ScoreRow> scores;
  for (const RunRow& row : rows)
    for (const auto& [name, value] : row.values) {
      if (!is_score(name)) continue;
      ScoreRow score{.step = row.step, .label = name, .value = value};
      const auto low = row.values.find(name + std::string(kScoreLow)),
                 high = row.values.find(name + std::string(kScoreHigh));
      if (low != row.values.end() && high != row.values.end()) score.interval = {low->second, high->second};
      scores.push_back(score);
    }
  return scores;
}

std::vector<double> seconds_trained(const RunRecord& run) {
  const double items = factor(run, "train.batch") * factor(run, "train.accumulate");
  std::vector<double> seconds;
  double sum = 0;
  int64_t before = 0;
  for (const RunRow& row : run.rows) {
    for (const auto& [name, speed] : row.values) {
      if (!name.ends_with(kSpeed) || speed <= 0) continue;
      const double per_step = name.starts_with("tokens") ? items * factor(run, "data.length") : items;
      sum += static_cast<double>(row.step - before) * per_step / speed;
    }
    before = row.step;
    seconds.push_back(sum);
  }
  return seconds;
}

RunRecord read_run(const fs::path& folder) {
  RunRecord run;
  run.folder = RunFolder::open(folder).path();
  const fs::path config = run.folder / "config.toml";
  run.config = read_text(config, "run config");
  run.settings = parse_toml(run.config, config.string());
  run.steps = whole(run.setting("train.steps")).value_or(0);
  run.rows = read_rows(run.folder);
  run.samples = list_samples(run.folder);
  run.checkpoints = list_checkpoints(run.folder);
  for (const std::string& line : lines_of(run.folder / kMachineFile))
    if (const auto machine = try_parse_json<Fields>(line); machine && machine->is_object())
      run.machines.push_back(*machine);
  run.commands = lines_of(run.folder / "command.txt");
  if (const auto log = lines_of(run.folder / "log.txt"); !log.empty()) run.last_log = log.back();
  if (!run.rows.empty()) run.step = run.rows.back().step;
  if (!run.checkpoints.empty()) run.step = std::max(run.step, run.checkpoints.back().step);
  run.state = state_of(run);
  return run;
}

}  // namespace uvic
