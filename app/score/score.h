// Scores: how far the images of a model are from a data set.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/score/model_images.h"
#include "eval/feature_set.h"
#include "eval/features.h"

namespace uvic {

// `name` empty: default_feature_net(), or inception-fid if `weights` are given, since only its weights come from the
// user. `resize` empty: the network's default.
std::unique_ptr<FeatureNet> load_feature_net(const std::string& name, const std::filesystem::path& weights = {},
                                             const std::string& resize = {});

// The features of the first `count` images. Error below two images.
FeatureSet measure(const FeatureNet& net, const ImageSource& source, int64_t count, const std::string& task);

struct Score {
  std::string label;  // "FID" or "FD(network)"
  double value = 0;   // lower is better
  // Half of the 95% interval, of as many other images (eval/frechet_interval.h).
  double interval = 0;
};

// Draws config.num images (seeds 0, 1, ...; image i takes the class or first caption of data image i), EMA weights, and
// compares them with the first config.num images of `data` in the features of config.features: the numbers that
// `uvic fid RUN DATA --num N` prints. The data's features are computed once and reused.
class ModelScorer {
 public:
  // Error if the weights of the feature network are missing.
  ModelScorer(const EvalConfig& config, std::shared_ptr<const Dataset> data);
  // nullopt, with a warning, when the model gives no pictures; Interrupted after Ctrl-C.
  std::optional<Score> operator()(const Model& model, const SampleConfig& sample);

 private:
  EvalConfig config_;
  std::shared_ptr<const Dataset> data_;
  std::unique_ptr<FeatureNet> net_;
  std::optional<FeatureSet> of_data_;
  std::optional<std::shared_ptr<const Dataset>> conditions_;
};

}  // namespace uvic
