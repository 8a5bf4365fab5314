// A training run: data, model, loop, and what happens between the steps (logs, grids, scores, checkpoints).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/run_config.h"
#include "app/score/score.h"
#include "app/training/caption_states.h"
#include "datasets/latents.h"
#include "datasets/vocabulary.h"
#include "train/run_folder.h"

namespace uvic {

struct TrainingData {
  std::shared_ptr<const Dataset> images;
  std::shared_ptr<const LatentDataset> latents;  // the same, if they are latents
  std::optional<Vocabulary> vocabulary;          // of the captions, when data.condition is text
  std::shared_ptr<const CaptionStates> states;   // of the captions, when data.text_encoder reads them
  std::vector<std::string> prompts;              // of the sample grids; empty: captions of the data
  std::shared_ptr<ModelScorer> scorer;           // if eval.every > 0
};

// Opens the data and fills what only it can tell: classes, vocabulary, image size of the SPEC, the run's name. Error if
// model and data do not fit, and whatever else can be known to fail later in the run.
TrainingData open_training_data(RunConfig& config);

// Prints parameters, memory, seconds per step of a 3-step probe, time and disk of the whole run; writes nothing.
void plan_training(const RunConfig& config, const TrainingData& data, at::Device device);

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
