// The layers that both transformers of CLIP (Radford et al., arXiv 2103.00020) are made of.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/registry.h"
#include "encoders/frozen_weights.h"
#include "transformer/frozen.h"

namespace uvic {

using Activation = Tensor (*)(const Tensor&);
std::span<const Entry<Activation>> clip_activations();

// The hidden_act of a config.json, `usual` if it has none. Error names `origin`.
std::string read_activation(const nlohmann::json& config, const std::string& usual, const std::string& origin);

// Attention and MLP, each behind a layer norm.
class ClipLayers {
 public:
  // Shapes without weights, for a config with Hugging Face's names.
  template <typename Config>
  explicit ClipLayers(const Config& config)
      : heads_(config.num_attention_heads),
        activation_(find(clip_activations(), config.hidden_act, "hidden_act").value) {
    using frozen::linear;
    const int64_t dim = config.hidden_size, hidden = config.intermediate_size;
    const auto norm = [&] { return frozen::layer_norm(dim, config.layer_norm_eps); };
    for (int64_t i = 0; i < config.num_hidden_layers; ++i)
      layers_.push_back({norm(), norm(), linear(dim, dim), linear(dim, dim), linear(dim, dim), linear(dim, dim),
                         linear(dim, hidden), linear(hidden, dim)});
  }

  // [B, N, D] float32 -> the same. Causal: no token sees a later one.
  Tensor operator()(Tensor x, bool causal) const;
  void visit(const std::string& prefix, const EachParameter& each);  // prefix + "encoder.layers.0..."

 private:
  struct Layer {
    frozen::LayerNorm norm1, norm2;
    frozen::Linear q, k, v, out, fc1, fc2;
  };

  int64_t heads_;
  Activation activation_;
  std::vector<Layer> layers_;
};

}  // namespace uvic
