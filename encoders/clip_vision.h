// The image transformer of CLIP (Radford et al., arXiv 2103.00020): a ViT with a class token.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/parameters.h"
#include "encoders/clip_layers.h"

namespace uvic {

// With the names and defaults of Hugging Face's CLIPVisionConfig; pictures have 3 channels.
struct ClipVisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  std::string hidden_act = "quick_gelu";  // a row of clip_activations()
  double layer_norm_eps = 1e-5;
};

// The "vision_config" of a config.json. Error names `origin` and the field.
ClipVisionConfig parse_clip_vision_config(const nlohmann::json& config, const std::string& origin);

class ClipVision {
 public:
  explicit ClipVision(const ClipVisionConfig& config);  // shapes without weights
  // Those of the weights that begin with "vision_model.", as Hugging Face calls them. They are not copied. Strict both
  // ways; `origin` names them in errors.
  ClipVision(const ClipVisionConfig& config, const TensorMap& weights, const std::string& origin);

  // [B, 3, image_size, image_size] float32 from clip_input -> [B, hidden_size], the class token after the last layer
  // norm.
  Tensor operator()(const Tensor& pixels) const;

  const ClipVisionConfig& config() const { return config_; }
  Parameters parameters() const;

 private:
  void visit(const EachParameter& each);

  ClipVisionConfig config_;
  frozen::Conv patches_;            // without a bias
  Tensor class_token_, positions_;  // [D], [1 + (image_size / patch_size)^2, D]
  frozen::LayerNorm first_norm_, last_norm_;
  ClipLayers layers_;
};

// What CLIP sees of a picture [3, H, W] uint8: the shorter side brought to `size` by Pillow's bicubic, the square in
// the middle, OpenAI's mean and deviation. [3, size, size] float32, as transformers' CLIPImageProcessor makes it. Error
// that names `name` if one side is more than 50 times the other: little of it would be seen, and the whole is resized.
Tensor clip_input(const Tensor& picture, int64_t size, const std::string& name);

}  // namespace uvic
