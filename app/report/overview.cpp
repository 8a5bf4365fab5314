#include "app/report/overview.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

#include "app/inspect/describe.h"
#include "core/error.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr const char* kNothing = "–";

std::string cell_text(const Fields& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? fmt::format("{:.6g}", value.get<double>()) : value.dump();
}

// The config in a few words, without how samples are drawn; nothing, with a warning, if it is not one of this uvic.
Fields described(const RunRecord& record) {
  Fields all, flat = Fields::object();
  try {
    all = describe_config(RunFolder::open(record.folder)).second;
  } catch (const Error& error) {
    warn(fmt::format("{}. The report shows this config as text alone", error.what()));
    return flat;
  }
  for (const auto& [key, value] : all.items()) {
    if (key == "sampling") continue;
    if (value.is_object())
      flat.update(value);
    else
      flat[key] = value;
  }
  return flat;
}

std::string value_with_interval(const ScoreRow& score) {
  std::string text = fmt::format("{} {:.4g}", score.label, score.value);
  if (score.interval) text += fmt::format(" ({:.4g} to {:.4g})", score.interval->first, score.interval->second);
  return text;
}

std::optional<ScoreRow> best_of(const RunRecord& run) {
  const std::vector<ScoreRow> scores = scores_in(run.rows);
  const auto best = std::min_element(scores.begin(), scores.end(),
                                     [](const ScoreRow& a, const ScoreRow& b) { return a.value < b.value; });
  if (best == scores.end()) return std::nullopt;
  return *best;
}

std::string time_trained(const RunRecord& run) {
  const std::vector<double> seconds = seconds_trained(run);
  if (seconds.empty()) return kNothing;
  const TimeUnit unit = time_unit(seconds.back());
  return fmt::format("{:.3g} {}", seconds.back() / unit.seconds, unit.name);
}

std::string last_value(const RunRecord& run, const std::string& name) {
  for (auto row = run.rows.rbegin(); row != run.rows.rend(); ++row)
    if (const auto value = row->values.find(name); value != row->values.end())
      return std::abs(value->second) < 1000 ? fmt::format("{:.4g}", value->second)
                                            : fmt::format("{:.0f}", value->second);
  return kNothing;
}

// A column for each run. What no run has is left out.
class RunTable {
 public:
  RunTable(const std::string& caption, const std::vector<NamedRun>& runs)
      : runs_(runs), table_{.caption = caption, .head = {"Run"}, .rows = {}} {
    for (const NamedRun& run : runs) table_.head.push_back(run.name);
  }

  void add(const std::string& name, const std::function<std::string(const RunRecord&)>& text) {
    std::vector<std::string> cells;
    for (const NamedRun& run : runs_) cells.push_back(text(run.record));
    add(name, cells);
  }
  void add(const std::string& name, const std::vector<Fields>& fields, const std::string& key) {
    std::vector<std::string> cells;
    for (const Fields& of_run : fields) cells.push_back(of_run.contains(key) ? cell_text(of_run[key]) : kNothing);
    add(name, cells);
  }

  HtmlTable table() && { return std::move(table_); }

 private:
  void add(const std::string& name, const std::vector<std::string>& cells) {
    if (std::all_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell == kNothing; })) return;
    std::vector<std::string>& row = table_.rows.emplace_back(1, name);
    row.insert(row.end(), cells.begin(), cells.end());
  }

  const std::vector<NamedRun>& runs_;
  HtmlTable table_;
};

// As one reads it: without '_'.
std::string as_words(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

std::string size_text(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

std::string state_text(const RunRecord& run) {
  const std::string steps = run.steps > 0 ? fmt::format("{} of {}", run.step, run.steps) : std::to_string(run.step);
  switch (run.state) {
    case RunState::kNotBegun:
      return "no step is recorded yet";
    case RunState::kTraining:
      return fmt::format("training now, at step {}", steps);
    case RunState::kFinished:
      return fmt::format("finished, {} steps", run.step);
    case RunState::kStopped:
      break;
  }
  return fmt::format("stopped at step {}", steps);
}

std::string time_text(double seconds) {
  if (!(seconds > 0 && seconds < 1e11)) return "unknown";
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
  return text;
}

Overview overview(const std::vector<NamedRun>& runs) {
  // What differs most from run to run, and from project to project.
  static constexpr std::string_view kShort[] = {"network",  "condition", "language_model", "data",
                                                "training", "objective", "optimizer",      "seed"};
  std::vector<Fields> configs, machines;
  for (const NamedRun& run : runs) {
    configs.push_back(described(run.record));
    machines.push_back(run.record.machines.empty() ? Fields::object() : run.record.machines.back());
  }
  RunTable in_short("In short", runs), rest("More of what was trained, and with what", runs);
  in_short.add("state", state_text);
  for (const std::string_view key : kShort) in_short.add(as_words(std::string(key)), configs, std::string(key));
  in_short.add("time of training", time_trained);
  in_short.add("best score (95%)", [](const RunRecord& run) {
    const auto best = best_of(run);
    return best ? fmt::format("{} at step {}", value_with_interval(*best), best->step) : kNothing;
  });
  in_short.add("last loss", [](const RunRecord& run) { return last_value(run, "loss"); });
  in_short.add("images a second", [](const RunRecord& run) { return last_value(run, "images_per_second"); });
  in_short.add("tokens a second", [](const RunRecord& run) { return last_value(run, "tokens_per_second"); });
  in_short.add("last line of the log", [](const RunRecord& run) {
    return run.state != RunState::kStopped || run.last_log.empty() ? kNothing : run.last_log;
  });

  std::set<std::string> told(std::begin(kShort), std::end(kShort));
  for (const Fields& config : configs)
    for (const auto& [key, value] : config.items())
      if (told.insert(key).second) rest.add(as_words(key), configs, key);
  for (const char* key : {"processor", "threads", "ranks", "device", "uvic_version"})
    rest.add(as_words(key), machines, key);
  rest.add("first and last record", [](const RunRecord& run) -> std::string {
    if (run.rows.empty()) return kNothing;
    return time_text(run.rows.front().time) + " to " + time_text(run.rows.back().time);
  });
  return {std::move(in_short).table(), std::move(rest).table()};
}

HtmlTable score_table(const NamedRun& run) {
  HtmlTable table{.caption = run.name, .head = {"Step", "Score", "Value", "95% interval", "Remark"}, .rows = {}};
  const auto best = best_of(run.record);
  for (const ScoreRow& score : scores_in(run.record.rows))
    table.rows.push_back({std::to_string(score.step), score.label, fmt::format("{:.4f}", score.value),
                          score.interval
                              ? fmt::format("{:.4f}\u00a0to\u00a0{:.4f}", score.interval->first, score.interval->second)
                              : "not recorded",
                          score.step == best->step && score.label == best->label ? "best" : ""});
  return table;
}

HtmlTable checkpoint_table(const NamedRun& run) {
  HtmlTable table{
      .caption = run.name, .head = {"Checkpoint", "Step", "Saved", "Size", "Best score so far", "Remark"}, .rows = {}};
  for (const SavedCheckpoint& saved : run.record.checkpoints)
    table.rows.push_back({saved.name, std::to_string(saved.step), time_text(saved.time), size_text(saved.bytes),
                          saved.best_score ? fmt::format("{:.4f}", *saved.best_score) : kNothing,
                          saved.is_best ? "best" : ""});
  return table;
}

HtmlTable machine_table(const NamedRun& run) {
  HtmlTable table{.caption = run.name, .head = {}, .rows = {}};
  std::vector<std::string> keys;
  for (const Fields& machine : run.record.machines)
    for (const auto& [key, value] : machine.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  for (const std::string& key : keys) table.head.push_back(key == "step" ? "from step" : as_words(key));
  for (const Fields& machine : run.record.machines) {
    std::vector<std::string>& row = table.rows.emplace_back();
    for (const std::string& key : keys) row.push_back(machine.contains(key) ? cell_text(machine[key]) : kNothing);
  }
  return table;
}

}  // namespace uvic
