// Scores: how far the images of a model are from a data set.
#pragma once

#include <string>

#include "app/model.h"
#include "datasets/dataset.h"

namespace uvic {

struct Score {
  std::string label;  // "FID" or "FD(network)"
  double value = 0;   // lower is better
};

// Draws config.num images (seeds 0, 1, ...; image i takes the class or first caption of data image i), EMA weights, and
// compares them with `data` in the features of eval.features. The data's statistics are computed once and reused.
class ModelScorer {
 public:
  ModelScorer(const EvalConfig& config, std::shared_ptr<const Dataset> data);
  ~ModelScorer();
  // nullopt when interrupted.
  std::optional<Score> operator()(const Model& model, const SampleConfig& sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uvic
