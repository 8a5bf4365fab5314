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
      text_projection_(frozen::linear(config.text.hidden_size, config.projection_dim, /*bias=*/false)),
      visual_projection_(frozen::linear(config.vision.hidden_size, config.projection_dim, /*bias=*/false)) {}

Clip::Clip(const ClipConfig& config, const TensorMap& weights, const std::string& origin) : Clip(config) {
  if (!has_vision(weights)) fail("{} has no vision_model: expected {}, not its text half", origin, kExpected);
  text_ = ClipText(config.text, weights, origin);
  vision_ = ClipVision(config.vision, weights, origin);
  TensorMap projections;
  for (const auto& weight : weights)
    if (weight.first.starts_with("text_projection.") || weight.first.starts_with("visual_projection."))
      projections.insert(weight);
  frozen::adopt([this](const EachParameter& each) { visit_projections(each); }, projections, origin,
                "Give the weights of a whole CLIP together with its own config.json");
}

void Clip::visit_projections(const EachParameter& each) {
  visit_layer("text_projection", text_projection_, each);
  visit_layer("visual_projection", visual_projection_, each);
}

Parameters Clip::parameters() const {
  Parameters all = list_parameters([this](const EachParameter& e) { const_cast<Clip*>(this)->visit_projections(e); });
  for (const Parameters& half : {text_.parameters(), vision_.parameters()})
    all.insert(all.end(), half.begin(), half.end());
  return all;
}

Tensor Clip::of_images(const Tensor& pixels) const {
  return visual_projection_(vision_(pixels));
}

Tensor Clip::of_text(const Tokens& tokens) const {
  const auto end = std::ranges::find(tokens.ids, tokens.ids.at(tokens.used - 1));
  const std::vector<int64_t> read(tokens.ids.begin(), end + 1);
  return text_projection_(text_(at::tensor(read, at::kLong).unsqueeze(0)).select(1, -1));
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
