// A training run: the loop, and what happens between the steps (logs, samples, scores, checkpoints). Knows neither
// images nor text: what is trained is a Trainee.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/cli/record_config.h"
#include "train/run_folder.h"
#include "train/train.h"

namespace uvic {

// Where training begins.
struct Start {
  World world;
  std::optional<RunFolder> folder;       // locked; rank 0 writes to it, the others have none
  bool resumed = false;                  // else nothing was trained in it
  std::optional<Checkpoint> checkpoint;  // to go on from, if there is one
  std::string command;                   // line for command.txt
  std::optional<int> serve = {};         // port of a page that shows the run
};

constexpr const char* kDeviceFile = "device.txt";      // where a run was trained last: it may go on anywhere
constexpr const char* kMachineFile = "machine.jsonl";  // what it was trained with, a line of machine_entry() each time

// A row of the records has numbers under "loss", "lr" and so on, and a score under its label, its interval beside it.
constexpr std::string_view kScoreLow = "_low", kScoreHigh = "_high";

// Of an averaged model; lower is better.
struct RunScore {
  std::string label;
  double value = 0;
  std::optional<std::pair<double, double>> interval;  // of 95%, if it is known
  std::string how;                                    // it was measured
};

struct Trainee {
  std::string config;  // text of config.toml
  TrainConfig train;
  RecordConfig output;
  at::Device device;
  Parameters parameters;  // of the network, initialised
  StepLoss loss;
  std::string items;                                                         // what batches consist of, "images"
  int64_t items_per_step = 0;                                                // for the speed in the logs
  std::function<std::map<std::string, std::string>(int64_t step)> metadata;  // of model files

  // What else the next step depends on, as tensors that are saved with the optimizer's; none: nothing.
  std::function<TensorMap()> state = {};
  std::function<void(const TensorMap& state)> load_state = {};

  // These look at averaged weights; none: not done. Interrupted after Ctrl-C.
  using Average = Parameters;
  std::function<void(RunFolder& folder, int64_t step, const Average& average)> sample = {};
  std::function<std::optional<RunScore>(int64_t step, const Average& average)> score = {};
  int64_t score_every = 0;
};

// Trains. A resumed run's folder stays as it is until a step has succeeded. Interrupted after a signal to any rank, the
// finished step saved.
void run_training(Trainee trainee, Start start);

}  // namespace uvic
