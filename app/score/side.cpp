#include "app/score/side.h"

#include <nlohmann/json.hpp>

#include "app/cli/settings_json.h"
#include "app/score/run_network.h"

namespace uvic {

int64_t Side::dims() const {
  return set ? set->moments.mu.size(0) : as<FeaturesSide>()->stored.features.size(1);
}

std::shared_ptr<const Dataset> Side::data() const {
  const DataSide* of_data = as<DataSide>();
  return of_data ? of_data->data : nullptr;
}

void measure(Side& side, const FeatureNet* net, const Keep& keep, const std::string& task, const World& world) {
  if (side.set) return;
  const FeaturesSide* kept = side.as<FeaturesSide>();
  if (!kept) {
    FeatureCollector collector(keep);
    ImageNetwork network = network_of(*net);
    network.refine = [&](const Activations& batch, auto) {
      return Activations{batch.features, keep.logits ? batch.logits : Tensor(),
                         keep.spatial ? batch.spatial : Tensor()};
    };
    run_network(world, network, *side.images, side.count, task,
                [&](const Activations& batch, std::span<const int64_t> indices) {
                  collector.add(batch);
                  side.image_of_row.insert(side.image_of_row.end(), indices.begin(), indices.end());
                });
    if (world.rank() == 0) side.set = collector.finish();
    return;
  }
  constexpr int64_t kRows = 1024;
  FeatureCollector collector({.features = false, .logits = false, .spatial = keep.spatial});  // the rest is in the file
  for (int64_t begin = 0; begin < side.count; begin += kRows) {
    const int64_t rows = std::min(kRows, side.count - begin);
    collector.add({kept->stored.features.narrow(0, begin, rows),
                   {},
                   keep.spatial ? kept->stored.spatial.narrow(0, begin, rows) : Tensor()});
  }
  side.set = collector.finish();
  side.set->activations = kept->stored;
}

std::string note(const Side& side, const std::string& name) {
  const auto found = side.notes.find(name);
  return found == side.notes.end() ? "" : found->second;
}

// What files in folders and archives are is not known, nor statistics that uvic did not write.
std::optional<std::string> known_protocol(const Side& side) {
  const bool known = side.as<ModelSide>() || side.as<DataSide>() || !note(side, "features").empty();
  return known ? std::optional(note(side, "protocol")) : std::nullopt;
}

std::string describe(const Side& side) {
  return describe(side.text, side.set->moments.n, settings_of(side));
}

std::string describe(const std::string& text, int64_t images, const std::string& settings) {
  return fmt::format("{} ({}{})", text, images > 0 ? fmt::format("{} images", images) : "statistics", settings);
}

std::string settings_of(const Side& side) {
  const ModelSide* drawn = side.as<ModelSide>();
  if (!drawn) return "";
  const SampleConfig& settings = drawn->how.settings;
  return fmt::format(", {} {} steps, guidance {}", settings.sampler.kind, settings.sampler.steps, settings.cfg_scale);
}

nlohmann::ordered_json to_json(const MetricValue& value) {
  nlohmann::ordered_json json{{"value", value.value}};
  if (!value.spread_of.empty()) json.update({{"spread", value.spread}, {"spread_of", value.spread_of}});
  return json;
}

nlohmann::json to_json(const Side& side) {
  nlohmann::json json{{"source", side.text}, {"images", side.set->moments.n}};
  if (const ModelSide* drawn = side.as<ModelSide>()) {
    json["model_hash"] = drawn->model->hash;
    json["guidance"] = drawn->how.settings.cfg_scale;
    add_settings(json, drawn->how.settings);
  }
  return json;
}

}  // namespace uvic
