#include "encoders/clip.h"

#include <algorithm>

#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "encoders/text_encoder_kinds.h"
#include "encoders/transformer_config.h"

namespace uvic {
namespace {

constexpr const char* kExpected = "a whole CLIP such as openai/clip-vit-base-patch32";

bool has_vision(const TensorMap& weights) {
  return std::ranges::any_of(weights, [](const auto& weight) { return weight.first.starts_with("vision_model."); });
}

}  // namespace

ClipConfig parse_clip_config(const nlohmann::json& config, const std::string& origin) {
  for (const char* half : {"text_config", "vision_config"})
    if (!config.is_object() || !config.contains(half) || !config[half].is_object())
      fail("there is no {} in {}: expected that of {}", half, origin, kExpected);
  if (config.contains("model_type") && config["model_type"] != "clip")
    fail("{}: model_type is {}, expected \"clip\"", origin, config["model_type"].dump());
  ClipConfig parsed;
  parsed.text = parse_clip_text_config(config, origin);
  parsed.vision = parse_clip_vision_config(config["vision_config"], origin + ": vision_config");
  read_size(config, "projection_dim", parsed.projection_dim, origin);
  return parsed;
}

Clip::Clip(const ClipConfig& config)
    : config_(config),
      text_(config.text),
      vision_(config.vision),
      text_projection_(frozen::shape({config.projection_dim, config.text.hidden_size})),
      visual_projection_(frozen::shape({config.projection_dim, config.vision.hidden_size})) {}

Clip::Clip(const ClipConfig& config, const TensorMap& weights, const std::string& origin) : Clip(config) {
  if (!has_vision(weights)) fail("{} has no vision_model: expected {}, not its text half", origin, kExpected);
  text_ = ClipText(config.text, weights, origin);
  vision_ = ClipVision(config.vision, weights, origin);
  TensorMap projections;
  for (const auto& weight : weights)
    if (weight.first.starts_with("text_projection.") || weight.first.starts_with("visual_projection."))
      projections.insert(weight);
  frozen::adopt([this](const frozen::Visit& each) { visit_projections(each); }, projections, origin,
                "Give the weights of a whole CLIP together with its own config.json");
}

void Clip::visit_projections(const frozen::Visit& visit) {
  visit("text_projection.weight", text_projection_);
  visit("visual_projection.weight", visual_projection_);
}

NamedTensors Clip::parameters() const {
  NamedTensors all = frozen::list([this](const frozen::Visit& e) { const_cast<Clip*>(this)->visit_projections(e); });
  for (const NamedTensors& half : {text_.parameters(), vision_.parameters()})
    all.insert(all.end(), half.begin(), half.end());
  return all;
}

Tensor Clip::of_images(const Tensor& pixels) const {
  const Tensor states = vision_(pixels);
  return at::linear(states, frozen::like(visual_projection_, states));
}

Tensor Clip::of_text(const Tokens& tokens) const {
  const auto end = std::ranges::find(tokens.ids, tokens.ids.at(tokens.used - 1));
  const std::vector<int64_t> read(tokens.ids.begin(), end + 1);
  const Tensor state = text_(at::tensor(read, at::kLong).unsqueeze(0)).select(1, -1);
  return at::linear(state, frozen::like(text_projection_, state));
}

ClipModel load_clip_model(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  if (!fs::exists(file)) fail("no CLIP in '{}': expected a folder with config.json, of {}", folder.string(), kExpected);
  const ClipConfig config = parse_clip_config(read_json(file, "config"), file.string());
  const fs::path weights = frozen::find_weights(folder, "CLIP");
  ClipTokenizer tokenizer(read_byte_pairs(folder));
  expect_together(tokenizer.largest_id(), config.text.vocab_size, {folder, folder, {}});
  return {Clip(config, read_weights(weights).tensors, weights.string()), std::move(tokenizer), weights};
}

}  // namespace uvic
