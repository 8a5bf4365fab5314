// The text transformer of CLIP (Radford et al., arXiv 2103.00020): its states are what text-to-image models are
// conditioned on.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/parameters.h"
#include "encoders/clip_layers.h"

namespace uvic {

// With the names and defaults of Hugging Face's CLIPTextConfig.
struct ClipTextConfig {
  int64_t vocab_size = 49408;
  int64_t hidden_size = 512;
  int64_t intermediate_size = 2048;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 8;
  int64_t max_position_embeddings = 77;
  std::string hidden_act = "quick_gelu";  // a row of clip_activations()
  double layer_norm_eps = 1e-5;
};

// A config.json of CLIPTextModel, or of a whole CLIP (its "text_config"). Error names `origin` and the field.
ClipTextConfig parse_clip_text_config(const nlohmann::json& config, const std::string& origin);
nlohmann::json to_json(const ClipTextConfig& config);

class ClipText {
 public:
  // Shapes without weights.
  explicit ClipText(const ClipTextConfig& config);
  // Weights under Hugging Face's names, with or without "text_model." in front; those of the image half of a whole CLIP
  // do not count. They are not copied. Strict both ways; `origin` names them in errors.
  ClipText(const ClipTextConfig& config, const TensorMap& weights, const std::string& origin);

  // [B, N] int64 ids, N up to max_position_embeddings -> [B, N, hidden_size] float32, the states after the last layer
  // norm. Every token sees those before it, padding too.
  Tensor operator()(const Tensor& ids) const;

  const ClipTextConfig& config() const { return config_; }
  Parameters parameters() const;  // with "text_model." in front
  at::Device device() const { return tokens_.device(); }
  void to(at::Device device);

 private:
  void visit(const EachParameter& each);

  ClipTextConfig config_;
  Tensor tokens_, positions_;  // [vocab_size, D], [max_position_embeddings, D]
  ClipLayers layers_;
  frozen::LayerNorm final_norm_;
};

}  // namespace uvic
