#include "app/score/score.h"

#include "app/score/run_network.h"
#include "core/error.h"
#include "core/progress.h"
#include "eval/metrics/kinds.h"

namespace uvic {

std::unique_ptr<FeatureNet> load_feature_net(const std::string& name, const std::filesystem::path& weights,
                                             const std::string& resize) {
  const std::string fallback = weights.empty() ? default_feature_net() : "inception-fid";
  return find(feature_nets(), name.empty() ? fallback : name, "feature network").value(weights, resize);
}

FeatureSet measure(const FeatureNet& net, const ImageSource& source, int64_t count, const std::string& task) {
  if (count < 2) fail("{}: a score needs at least 2 images, there {} {}", task, count == 1 ? "is" : "are", count);
  FeatureCollector features({});
  run_network(network_of(net), source, count, {0, count}, task,
              [&](const Activations& batch, auto) { features.add(batch); });
  return features.finish();
}

ModelScorer::ModelScorer(const EvalConfig& config, std::shared_ptr<const Dataset> data)
    : config_(config), data_(std::move(data)), net_(load_feature_net(config.features)) {}

std::optional<Score> ModelScorer::operator()(const Model& model, const SampleConfig& sample) {
  try {
    if (!of_data_)
      of_data_ = measure(*net_, *dataset_images(data_), std::min(config_.num, data_->size()), "features of the data");
    if (!conditions_) conditions_ = conditions_for(model, data_, config_.num);
    const GenerateOptions how{.settings = sample};
    const FeatureSet drawn =
        measure(*net_, *model_images(model, *conditions_, how), config_.num, "drawing for the score");
    const MetricValue distance = fid_metric(drawn, *of_data_, 0).front();
    return Score{distance_label(net_->name(), net_->weights_sha256()), distance.value, distance.spread};
  } catch (const NotFinite& error) {
    warn(fmt::format("no score at step {}: {}", model.card.step, error.what()));
    return std::nullopt;
  }
}

}  // namespace uvic
