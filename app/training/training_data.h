// From a data SPEC to all that a run takes of its data.
#pragma once

#include <memory>
#include <string>

#include "app/score/score.h"
#include "app/training/training_source.h"

namespace uvic {

struct TrainingData {
  std::string description;  // of the data set, one line
  TrainingSource source;
  std::shared_ptr<ModelScorer> scorer;  // if eval.every > 0
};

// Opens the data and fills in the config what only it can tell: classes, vocabulary, image size of the SPEC, the run's
// name. `known`: the words of the model that the run begins with. Error if model and data do not fit, and whatever else
// can be known to fail later in the run. Writes nothing.
TrainingData open_training_data(RunConfig& config, const std::optional<Vocabulary>& known = {});

}  // namespace uvic
