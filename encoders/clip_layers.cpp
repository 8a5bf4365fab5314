#include "encoders/clip_layers.h"

#include "core/error.h"
#include "encoders/attend.h"

namespace uvic {
namespace {

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

}  // namespace

std::span<const Entry<Activation>> clip_activations() {
  return kActivations;
}

std::string read_activation(const nlohmann::json& config, const std::string& usual, const std::string& origin) {
  std::string name = usual;
  if (config.contains("hidden_act")) {
    if (!config["hidden_act"].is_string()) fail("{}: hidden_act is not a name", origin);
    name = config["hidden_act"];
  }
  find(clip_activations(), name, "hidden_act in " + origin);
  return name;
}

void ClipLayers::visit(const std::string& prefix, const EachParameter& each) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::string name = fmt::format("{}encoder.layers.{}.", prefix, i);
    Layer& layer = layers_[i];
    visit_layer(name + "layer_norm1", layer.norm1, each);
    visit_layer(name + "self_attn.q_proj", layer.q, each, Role::kBlockMatrix);
    visit_layer(name + "self_attn.k_proj", layer.k, each, Role::kBlockMatrix);
    visit_layer(name + "self_attn.v_proj", layer.v, each, Role::kBlockMatrix);
    visit_layer(name + "self_attn.out_proj", layer.out, each, Role::kBlockMatrix);
    visit_layer(name + "layer_norm2", layer.norm2, each);
    visit_layer(name + "mlp.fc1", layer.fc1, each, Role::kBlockMatrix);
    visit_layer(name + "mlp.fc2", layer.fc2, each, Role::kBlockMatrix);
  }
}

Tensor ClipLayers::operator()(Tensor x, bool causal) const {
  for (const Layer& layer : layers_) {
    const Tensor y = layer.norm1(x);
    x = x + layer.out(frozen::attend(layer.q(y), layer.k(y), layer.v(y), heads_, causal));
    x = x + layer.fc2(activation_(layer.fc1(layer.norm2(x))));
  }
  return x;
}

}  // namespace uvic
