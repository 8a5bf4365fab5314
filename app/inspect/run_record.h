// A run folder as numbers, for who shows how far a run has come. Whatever is complete is read, so that a run that is
// being trained now is one like any other. What the folder's links lead to is not read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/results.h"
#include "app/cli/toml.h"
#include "core/files.h"
#include "train/run_folder.h"

namespace uvic {

// A line of stats.jsonl.
struct RunRow {
  int64_t step = 0;
  double time = 0;                       // seconds since 1970; 0: unknown
  std::map<std::string, double> values;  // "loss", "lr", ... and scores; what was not finite is missing
};

// Of averaged weights, measured during training.
struct ScoreRow {
  int64_t step = 0;
  std::string label;                                       // "FID", "FD(network)", "perplexity"
  double value = 0;                                        // lower is better
  std::optional<std::pair<double, double>> interval = {};  // of 95%; runs of an older uvic have none
};

struct SampleFile {
  int64_t step = 0;
  std::filesystem::path file;  // .png, or .txt of a language model
};

struct SavedCheckpoint {
  int64_t step = 0;
  std::string name;  // "checkpoint-5000"
  std::optional<double> best_score = {};
  int64_t bytes = 0;
  double time = 0;  // when it was saved, seconds since 1970
  bool is_best = false;
};

enum class RunState { kNotBegun, kTraining, kFinished, kStopped };

struct RunRecord {
  std::filesystem::path folder;
  std::string config;  // text of config.toml
  std::vector<TomlItem> settings;
  std::vector<RunRow> rows;  // by step
  std::vector<SampleFile> samples;
  std::vector<SavedCheckpoint> checkpoints;
  std::vector<Fields> machines;       // a machine_entry() for each time that training began or went on
  std::vector<std::string> commands;  // likewise
  std::string last_log;               // last line of log.txt
  RunState state = RunState::kNotBegun;
  int64_t step = 0, steps = 0;  // done, as far as the folder tells, and wanted; 0 wanted: unknown

  std::string name() const { return folder_name(folder); }
  // Of the config's "train.steps"; empty if it has no such key.
  std::string setting(const std::string& key) const;
};

// All of it. Error if the folder is no run, its config is no config, or the state of a checkpoint is damaged.
RunRecord read_run(const std::filesystem::path& folder);

// Parts of it, for who asks again and again. Rows of later steps than `after` only; a last line that is half written is
// left out, and what a resumed run has dropped.
std::vector<RunRow> read_rows(const std::filesystem::path& run, int64_t after = -1);
std::vector<SampleFile> list_samples(const std::filesystem::path& run);  // by step
// By step. One that goes while it is looked at is left out.
std::vector<SavedCheckpoint> list_checkpoints(const std::filesystem::path& run);
SavedCheckpoint read_checkpoint_state(const std::filesystem::path& checkpoint);  // step, name and best score alone

std::vector<ScoreRow> scores_in(const std::vector<RunRow>& rows);
// Whether a name in a row is one of a score, and none of the loop's own numbers.
bool is_score(std::string_view name);
bool is_speed(std::string_view name);  // of training

// Seconds of training up to each row, by the speed that the rows tell; pauses, and steps that were lost, do not count.
std::vector<double> seconds_trained(const RunRecord& run);

}  // namespace uvic
