#include "encoders/clip_text.h"

#include "core/error.h"
#include "encoders/transformer_config.h"

namespace uvic {
namespace {

constexpr std::string_view kTextPrefix = "text_model.";

// Of a whole CLIP, and the table of places 0, 1, 2, ... that older files carry.
bool belongs_elsewhere(const std::string& name) {
  for (const std::string_view other : {"vision_model.", "visual_projection.", "text_projection.", "logit_scale"})
    if (name.starts_with(other)) return true;
  return name.ends_with("embeddings.position_ids");
}

// The text half, every name with the prefix.
TensorMap text_half(const TensorMap& weights) {
  TensorMap half;
  for (const auto& [name, tensor] : weights)
    if (!belongs_elsewhere(name)) half[name.starts_with(kTextPrefix) ? name : std::string(kTextPrefix) + name] = tensor;
  return half;
}

}  // namespace

ClipTextConfig parse_clip_text_config(const nlohmann::json& config, const std::string& origin) {
  if (!config.is_object()) fail("{} is not a JSON object", origin);
  if (config.contains("text_config")) return parse_clip_text_config(config["text_config"], origin + ": text_config");
  ClipTextConfig parsed;
  read_transformer(config, parsed, origin);
  parsed.hidden_act = read_activation(config, parsed.hidden_act, origin);
  return parsed;
}

nlohmann::json to_json(const ClipTextConfig& config) {
  nlohmann::json json = transformer_json(config);
  json.update(
      {{"architectures", {"CLIPTextModel"}}, {"model_type", "clip_text_model"}, {"hidden_act", config.hidden_act}});
  return json;
}

ClipText::ClipText(const ClipTextConfig& config)
    : config_(config),
      tokens_(frozen::shape({config.vocab_size, config.hidden_size})),
      positions_(frozen::shape({config.max_position_embeddings, config.hidden_size})),
      layers_(config),
      final_norm_(frozen::layer_norm(config.hidden_size, config.layer_norm_eps)) {}

ClipText::ClipText(const ClipTextConfig& config, const TensorMap& weights, const std::string& origin)
    : ClipText(config) {
  frozen::adopt([this](const EachParameter& each) { visit(each); }, text_half(weights), origin,
                "Give the text model's weights together with its own config.json");
}

void ClipText::visit(const EachParameter& each) {
  const std::string prefix(kTextPrefix);
  each(prefix + "embeddings.token_embedding.weight", tokens_, Role::kEmbedding);
  each(prefix + "embeddings.position_embedding.weight", positions_, Role::kToken);
  layers_.visit(prefix, each);
  visit_layer(prefix + "final_layer_norm", final_norm_, each);
}

Parameters ClipText::parameters() const {
  return list_parameters([this](const EachParameter& each) { const_cast<ClipText*>(this)->visit(each); });
}

void ClipText::to(at::Device device) {
  frozen::move([this](const EachParameter& each) { visit(each); }, device);
}

Tensor ClipText::operator()(const Tensor& ids) const {
  TORCH_CHECK(ids.dim() == 2 && ids.size(1) <= config_.max_position_embeddings, "ids of shape ", ids.sizes());
  const Tensor x = at::embedding(tokens_, ids).to(at::kFloat) + positions_.narrow(0, 0, ids.size(1));
  return final_norm_(layers_(x, /*causal=*/true));
}

}  // namespace uvic
