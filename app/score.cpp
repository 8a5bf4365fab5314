#include "app/score.h"

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "eval/frechet.h"

namespace uvic {

std::unique_ptr<FeatureNet> load_feature_net(const std::string& name, const std::filesystem::path& weights,
                                             const std::string& resize) {
  const std::string fallback = weights.empty() ? default_feature_net() : "inception-fid";
  return find(feature_nets(), name.empty() ? fallback : name, "feature network").value(weights, resize);
}

void run_network(const FeatureNet& net, const ImageSource& source, int64_t first, int64_t count,
                 const std::string& task, const OnActivations& on_batch, const ImageSource::Tick& on_done) {
  Progress progress(task, count, "image", first);
  source.read(
      first, count,
      [&](const Tensor& images, std::span<const int64_t> indices) { on_batch(net.activations(images), indices); },
      [&](int64_t done) {
        if (on_done) on_done(done);
        stop_if_interrupted();
        progress.update(done);
      });
}

Gaussian measure(const FeatureNet& net, const ImageSource& source, int64_t count, const std::string& task) {
  if (count < 2) fail("{}: a score needs at least 2 images, there {} {}", task, count == 1 ? "is" : "are", count);
  FeatureStats stats;
  run_network(net, source, 0, count, task, [&](const Activations& batch, auto) { stats.add(batch.features); });
  return stats.fit();
}

struct ModelScorer::State {
  EvalConfig config;
  std::shared_ptr<const Dataset> data;
  std::unique_ptr<FeatureNet> net;
  std::optional<Gaussian> of_data;
  std::optional<std::shared_ptr<const Dataset>> conditions;
};

ModelScorer::ModelScorer(const EvalConfig& config, std::shared_ptr<const Dataset> data)
    : state_(new State{config, std::move(data), load_feature_net(config.features), {}, {}}) {}

ModelScorer::~ModelScorer() = default;

std::optional<Score> ModelScorer::operator()(const Model& model, const SampleConfig& sample) {
  State& s = *state_;
  try {
    if (!s.of_data)
      s.of_data =
          measure(*s.net, dataset_images(s.data), std::min(s.config.num, s.data->size()), "features of the data");
    if (!s.conditions) s.conditions = conditions_for(model, s.data, s.config.num);
    const GenerateOptions how{.sampler = sample.sampler, .cfg_scale = sample.cfg_scale};
    const Gaussian drawn =
        measure(*s.net, model_images(model, *s.conditions, how), s.config.num, "drawing for the score");
    return Score{s.net->label(), frechet_distance(drawn, *s.of_data)};
  } catch (const Interrupted&) {
    return std::nullopt;
  }
}

}  // namespace uvic
