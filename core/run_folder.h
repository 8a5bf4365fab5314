// The folder of a training run: numbered, human-readable, complete enough to reproduce and to go on.
//
//   runs/00007-cifar10-uvic-tiny/
//     config.toml command.txt log.txt stats.jsonl metrics.csv events.out.tfevents...
//     samples/0005000.png
//     checkpoint-5000/{model,model_ema,optimizer}.safetensors state.json
//     latest -> checkpoint-5000    best -> checkpoint-4000
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/event_file.h"
#include "core/safetensors.h"

namespace uvic {

// What training saves and needs to go on bit-exactly.
struct Checkpoint {
  int64_t step = 0;  // optimizer steps done
  TensorFile model, model_ema, optimizer;
  std::optional<double> best_score;  // of the run so far; lower is better
};

class RunFolder {
 public:
  // Creates parent/NNNNN-name with the next free number; two processes that start at once get two folders (mkdir decides).
  static RunFolder create(const std::filesystem::path& parent, const std::string& name);
  // An existing run folder; "latest" is the highest-numbered one under `parent`. Error if it is none (no config.toml).
  static RunFolder open(const std::filesystem::path& folder);
  static RunFolder open_latest(const std::filesystem::path& parent);
  static bool is_run(const std::filesystem::path& path);  // has a config.toml and may have checkpoints

  const std::filesystem::path& path() const { return path_; }

  // A text file of the run ("config.toml", "command.txt"), atomically. Resuming appends the new command to command.txt.
  void write_text(const std::string& name, const std::string& text) const;
  void append_log(const std::string& line) const;  // log.txt, with a time stamp

  // A row of numbers for one step: appended to stats.jsonl ({"step":..,"time":..,name:..}), metrics.csv (columns fixed by
  // the first row; a new name is added by rewriting the file) and the TensorBoard file. Non-finite numbers become null.
  void record(int64_t step, const std::map<std::string, double>& values);
  void record_image(int64_t step, const std::string& name, const Tensor& image) const;  // samples/0005000.png + TensorBoard

  // On resume from `step`: rows of later steps, written by the killed process, are dropped (stats.jsonl, metrics.csv), a
  // half-written last line too, so that every step stands once.
  void rewind(int64_t step) const;

  // Writes checkpoint-STEP.tmp, syncs, renames, moves `latest` (and `best`, when `is_best`), then removes all but the
  // newest `keep_last` (never the one `best` names). A crash at any moment leaves a complete `latest`.
  void save(const Checkpoint& checkpoint, bool is_best, int keep_last) const;

  // The newest complete checkpoint: `latest`, or if that is missing or damaged the newest that loads (with a warning that
  // names the damaged one). Error if there is none.
  Checkpoint load_latest() const;
  static Checkpoint load(const std::filesystem::path& checkpoint_folder);
  std::filesystem::path latest() const;  // checkpoint folder; Error if there is none
  std::filesystem::path best() const;    // `best`, or latest() if no score was kept
  bool has_checkpoint() const;

 private:
  explicit RunFolder(std::filesystem::path path);
  std::filesystem::path path_;
  std::shared_ptr<EventFile> events_;  // opened at the first record
};

}  // namespace uvic
