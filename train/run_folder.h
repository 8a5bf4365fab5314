// The folder of a training run: numbered, human-readable, complete enough to reproduce and to go on.
//
//   runs/00007-cifar10-uvic-tiny/
//     config.toml device.txt command.txt machine.jsonl log.txt stats.jsonl metrics.csv events.out.tfevents...
//     samples/0005000.png
//     checkpoint-5000/{model,model_ema,optimizer}.safetensors state.json
//     latest -> checkpoint-5000    best -> checkpoint-4000
//
// While something is written it is called x.tmp..., so whatever has its final name is complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/safetensors.h"
#include "train/event_file.h"

namespace uvic {

// 2: all that is drawn for an item depends on (seed, its number). 1: its noise was drawn by micro-batch.
constexpr int64_t kCheckpointFormat = 2;

// What training saves and needs to go on bit-exactly.
struct Checkpoint {
  int64_t format = kCheckpointFormat;
  int64_t step = 0;  // optimizer steps done
  TensorFile model, model_ema, optimizer;
  std::optional<double> best_score;  // of the run so far; lower is better
};

class RunFolder {
 public:
  // Creates parent/NNNNN-name with the next free number; processes that start at once get different numbers (mkdir
  // decides). Characters of `name` other than letters, digits, '-', '_' and '.' become '-'.
  static RunFolder create(const std::filesystem::path& parent, const std::string& name);
  // An existing run folder. Error if it is none (no config.toml).
  static RunFolder open(const std::filesystem::path& folder);
  static RunFolder open_latest(const std::filesystem::path& parent);  // the highest-numbered run under `parent`
  // The highest-numbered run of that name, if there is one.
  static std::optional<RunFolder> find(const std::filesystem::path& parent, const std::string& name);
  static bool is_run(const std::filesystem::path& path);  // has a config.toml and may have checkpoints

  const std::filesystem::path& path() const { return path_; }

  // To be called by whoever trains into the folder, before anything else is done to it. Held until the last copy of
  // this object goes or the process ends, however it ends. Error naming the run and the process that trains there
  // already, or a link in a place that a run writes to: it could lead anywhere.
  void lock() const;
  // Whether a process of this machine holds that lock.
  bool is_being_trained() const;
  // Clears away what a killed process left half done, known by the names that uvic gives. On resume to be called once
  // it is sure that the run goes on.
  void tidy() const;

  void write_text(const std::string& name, const std::string& text) const;   // "config.toml", atomically
  void append_text(const std::string& name, const std::string& text) const;  // "command.txt", on a line of its own
  void append_log(const std::string& line) const;                            // log.txt, with a time stamp

  // A row of numbers for one step: appended to stats.jsonl ({"step":..,"time":..,name:..}), metrics.csv (columns fixed
  // by the first row; a new name is added by rewriting the file) and the TensorBoard file. Non-finite numbers become
  // null (an empty field in the CSV). Record a step before saving it, so that a kill in between loses no row.
  void record(int64_t step, const std::map<std::string, double>& values);
  // A PNG of that size to samples/0005000.png and, under `name`, to TensorBoard.
  void record_image(int64_t step, const std::string& name, std::string_view png, int64_t height, int64_t width);

  // samples/0005000.txt.
  void record_text(int64_t step, const std::string& text) const;

  // On resume from `step`: rows of later steps, written by the killed process, are dropped (stats.jsonl, metrics.csv),
  // a half-written last line too, so that every step stands once; TensorBoard is told to forget them.
  void rewind(int64_t step);

  // Writes checkpoint-STEP, moves `latest` (and `best`, when `is_best`), then removes all but the newest `keep_last`
  // (0: keeps all; never those that `latest` and `best` name). A crash at any moment leaves a complete `latest`. An
  // existing checkpoint of the same step is replaced. Error (disk full ...): the run's checkpoints are as before.
  void save(const Checkpoint& checkpoint, bool is_best, int keep_last) const;

  // The newest complete checkpoint: `latest`, or if that is missing or damaged the newest that loads (with a warning
  // that names the damaged one). Error if there is none.
  Checkpoint load_latest() const;
  // Error naming the file that is missing, cut short or unreadable.
  static Checkpoint load(const std::filesystem::path& checkpoint_folder);
  std::filesystem::path latest() const;  // checkpoint folder; Error if there is none
  std::filesystem::path best() const;    // `best`, or latest() if no score was kept
  bool has_checkpoint() const;

 private:
  struct Open {  // shared by copies of the object
    ~Open();
    int lock = -1;  // file descriptor
    std::unique_ptr<EventFile> events;
    std::optional<std::vector<std::string>> columns;  // of metrics.csv, after "step"
    std::optional<int64_t> first_step;                // of a resumed run
  };
  explicit RunFolder(std::filesystem::path path);
  std::vector<std::filesystem::path> checkpoints() const;  // newest first; `latest` before all others
  void rotate(int64_t newest_step, int keep_last) const;
  void recover_checkpoints() const;
  static void remove_checkpoint(const std::filesystem::path& folder);
  void expect_own_files() const;
  static int64_t checkpoint_step(const std::filesystem::path& folder);  // of "checkpoint-5000", -1 for other names
  // Removes what has become superfluous; where that fails a warning says so, since nothing is lost by it.
  static void discard(const std::filesystem::path& path);
  EventFile& event_file();

  std::filesystem::path path_;
  std::shared_ptr<Open> open_;
};

}  // namespace uvic
