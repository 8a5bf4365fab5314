// A whole CLIP (Radford et al., arXiv 2103.00020): pictures and texts in one space, where what belongs together has the
// same direction.
#pragma once

#include <filesystem>
#include <string>

#include "encoders/clip_text.h"
#include "encoders/clip_tokenizer.h"
#include "encoders/clip_vision.h"

namespace uvic {

struct ClipConfig {
  ClipTextConfig text;
  ClipVisionConfig vision;
  int64_t projection_dim = 512;
};

// The config.json of Hugging Face's CLIPModel. Error names `origin` and what it lacks.
ClipConfig parse_clip_config(const nlohmann::json& config, const std::string& origin);

class Clip {
 public:
  explicit Clip(const ClipConfig& config);  // shapes without weights
  // Weights under Hugging Face's names; they are not copied. Strict both ways; `origin` names them in errors.
  Clip(const ClipConfig& config, const TensorMap& weights, const std::string& origin);

  // What clip_input makes of B pictures, [B, 3, image_size, image_size] -> [B, projection_dim] float32, of any length.
  Tensor of_images(const Tensor& pixels) const;
  // A text -> [1, projection_dim] float32, of any length: the state at its first end of text, behind which nothing
  // counts, since no token sees a later one.
  Tensor of_text(const Tokens& tokens) const;

  const ClipConfig& config() const { return config_; }
  Parameters parameters() const;

 private:
  void visit_projections(const EachParameter& each);

  ClipConfig config_;
  ClipText text_;
  ClipVision vision_;
  frozen::Linear text_projection_, visual_projection_;  // without a bias
};

struct ClipModel {
  Clip net;
  ClipTokenizer tokenizer;
  std::filesystem::path weights;  // the file they came from
};

// A folder that Hugging Face's CLIPModel and CLIPTokenizer wrote, such as openai/clip-vit-base-patch32: config.json,
// weights, and tokenizer.json or vocab.json and merges.txt. Error that names what is missing.
ClipModel load_clip_model(const std::filesystem::path& folder);

}  // namespace uvic
