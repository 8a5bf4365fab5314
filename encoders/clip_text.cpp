#include "encoders/clip_text.h"

#include "core/error.h"
#include "encoders/transformer_config.h"

namespace uvic {
namespace {

constexpr std::string_view kPrefix = "text_model.";

Tensor quick_gelu(const Tensor& x) {
  return x * at::sigmoid(1.702 * x);
}
Tensor gelu(const Tensor& x) {
  return at::gelu(x);
}

constexpr Entry<Activation> kActivations[] = {
    {"quick_gelu", quick_gelu, "x sigmoid(1.702 x), of OpenAI's models"},
    {"gelu", gelu, "exact GELU, of OpenCLIP's models"},
};

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
    if (!belongs_elsewhere(name)) half[name.starts_with(kPrefix) ? name : std::string(kPrefix) + name] = tensor;
  return half;
}

}  // namespace

std::span<const Entry<Activation>> clip_activations() {
  return kActivations;
}

ClipTextConfig parse_clip_text_config(const nlohmann::json& config, const std::string& origin) {
  if (!config.is_object()) fail("{} is not a JSON object", origin);
  if (config.contains("text_config")) return parse_clip_text_config(config["text_config"], origin + ": text_config");
  ClipTextConfig parsed;
  read_transformer(config, parsed, origin);
  if (config.contains("hidden_act")) {
    if (!config["hidden_act"].is_string()) fail("{}: hidden_act is not a name", origin);
    parsed.hidden_act = config["hidden_act"];
  }
  find(clip_activations(), parsed.hidden_act, "hidden_act in " + origin);
  return parsed;
}

nlohmann::json to_json(const ClipTextConfig& config) {
  nlohmann::json json = transformer_json(config);
  json.update(
      {{"architectures", {"CLIPTextModel"}}, {"model_type", "clip_text_model"}, {"hidden_act", config.hidden_act}});
  return json;
}

ClipText::ClipText(const ClipTextConfig& config)
    : config_(config), activation_(find(clip_activations(), config.hidden_act, "hidden_act").value) {
  using frozen::shape;
  const int64_t dim = config.hidden_size, hidden = config.intermediate_size;
  using frozen::linear;
  const auto norm = [&] { return frozen::layer_norm(dim, config.layer_norm_eps); };
  tokens_ = shape({config.vocab_size, dim});
  positions_ = shape({config.max_position_embeddings, dim});
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.push_back({norm(), norm(), linear(dim, dim), linear(dim, dim), linear(dim, dim), linear(dim, dim),
                       linear(dim, hidden), linear(hidden, dim)});
  final_norm_ = norm();
}

ClipText::ClipText(const ClipTextConfig& config, const TensorMap& weights, const std::string& origin)
    : ClipText(config) {
  frozen::adopt([this](const frozen::Visit& each) { visit(each); }, text_half(weights), origin,
                "Give the text model's weights together with its own config.json");
}

void ClipText::visit(const frozen::Visit& visit) {
  const auto both = [&](const std::string& name, auto& layer) {
    visit(std::string(kPrefix) + name + ".weight", layer.weight);
    visit(std::string(kPrefix) + name + ".bias", layer.bias);
  };
  visit(std::string(kPrefix) + "embeddings.token_embedding.weight", tokens_);
  visit(std::string(kPrefix) + "embeddings.position_embedding.weight", positions_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::string name = fmt::format("encoder.layers.{}.", i);
    Layer& layer = layers_[i];
    both(name + "layer_norm1", layer.norm1);
    both(name + "self_attn.q_proj", layer.q);
    both(name + "self_attn.k_proj", layer.k);
    both(name + "self_attn.v_proj", layer.v);
    both(name + "self_attn.out_proj", layer.out);
    both(name + "layer_norm2", layer.norm2);
    both(name + "mlp.fc1", layer.fc1);
    both(name + "mlp.fc2", layer.fc2);
  }
  both("final_layer_norm", final_norm_);
}

NamedTensors ClipText::parameters() const {
  return frozen::list([this](const frozen::Visit& each) { const_cast<ClipText*>(this)->visit(each); });
}

void ClipText::to(at::Device device) {
  frozen::move([this](const frozen::Visit& each) { visit(each); }, device);
}

Tensor ClipText::operator()(const Tensor& ids) const {
  TORCH_CHECK(ids.dim() == 2 && ids.size(1) <= config_.max_position_embeddings, "ids of shape ", ids.sizes());
  Tensor x = at::embedding(tokens_, ids).to(at::kFloat) + positions_.narrow(0, 0, ids.size(1));
  for (const Layer& layer : layers_) {
    const Tensor y = layer.norm1(x);
    x = x + layer.out(frozen::attend(layer.q(y), layer.k(y), layer.v(y), config_.num_attention_heads, /*causal=*/true));
    x = x + layer.fc2(activation_(layer.fc1(layer.norm2(x))));
  }
  return final_norm_(x);
}

}  // namespace uvic
