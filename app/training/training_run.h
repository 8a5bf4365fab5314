// A training run: model, loop, and what happens between the steps (logs, grids, scores, checkpoints).
#pragma once

#include <optional>
#include <string>

#include "app/training/training_data.h"
#include "train/run_folder.h"

namespace uvic {

// Where training begins.
struct Start {
  RunFolder folder;                      // locked
  bool resumed = false;                  // else nothing was trained in it
  std::optional<Checkpoint> checkpoint;  // to go on from, if there is one
  std::string command;                   // line for command.txt
};

constexpr const char* kDeviceFile = "device.txt";  // where a run was trained last: it may go on anywhere

// Trains. A resumed run's folder stays as it is until a step has succeeded. Interrupted after a signal, the finished
// step saved.
void run_training(const RunConfig& config, const TrainingData& data, at::Device device, Start start);

}  // namespace uvic
