// What a model is trained on: a way from a data set to batches for each kind of condition.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/run_config.h"
#include "app/draw/pipeline.h"
#include "datasets/stream.h"

namespace uvic {

struct TrainingSource {
  BatchAt batch_at;                           // a pure function of (train.seed, items)
  std::function<Request(int64_t i)> request;  // what picture i of a sample grid is drawn from, but for its seed
  // Of the model card.
  std::vector<std::string> classes = {};
  std::optional<Vocabulary> vocabulary = {};
  std::string text_encoder = {};  // fingerprint
};

// Opens a source, with the words of the model that the run begins with, if there are any, and fills in the config what
// only the data can tell: numbers of classes and words, the scale of latents. Error if model and data do not fit, or
// for options of another kind.
using OpenSource = TrainingSource (*)(RunConfig& config, std::shared_ptr<const Dataset> data,
                                      const std::optional<Vocabulary>& known);

// none | class | words (captions, learned) | states (captions, of a frozen text encoder) | latents
std::span<const Entry<OpenSource>> training_sources();
// The row of the config's condition and that data.
std::string source_kind(const DataConfig& config, const Dataset& data);

// What rows have in common.

// Error for options of latents, for channels that pictures do not have, and for a text of no tokens.
void fit_captioned_pictures(RunConfig& config);
// The first caption of image i of the data, cyclically.
std::function<Request(int64_t i)> caption_requests(std::shared_ptr<const Dataset> data);
StreamConfig stream_config(const RunConfig& config);

}  // namespace uvic
