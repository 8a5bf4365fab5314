// DINOv2 (Oquab et al., arXiv 2304.07193), a ViT trained without labels. Distances in its class token agree with people
// more often than those of Inception (Stein et al., arXiv 2306.04675, "FD-DINOv2" with ViT-L/14).
#pragma once

#include <string>
#include <vector>

#include "core/formats/safetensors.h"
#include "transformer/layers.h"

namespace uvic {

class DinoV2 {
 public:
  // Of any width and depth, with patches of 14 and heads of 64; from Meta's .pth (its names or Hugging Face's
  // Dinov2Model, whose query, key and value are separate), without register tokens. `file` names the weights in errors.
  DinoV2(TensorMap weights, const std::string& file);

  // [B, 3, H, W] uint8 -> [B, 3, 224, 224] float32: Pillow's bicubic on float channels, then ImageNet's mean and
  // deviation, as dgm-eval does it.
  static Tensor resize(const Tensor& images);

  // [B, 3, 224, 224] -> [B, dims()] float32, the class token after the last layer norm.
  Tensor features(const Tensor& resized) const;

  int64_t dims() const { return class_token_.size(-1); }

 private:
  struct Block {
    LayerNorm norm1;
    Linear qkv, out;
    LayerNorm norm2;
    Linear up, down;
    Tensor scale1, scale2;  // [D], LayerScale
  };
  Tensor attention(const Block& block, const Tensor& x) const;

  Conv patches_;
  LayerNorm norm_;
  Tensor class_token_, positions_;  // [1, 1, D]; [1, 1 + 16 * 16, D], brought to the grid of 224 pixels
  std::vector<Block> blocks_;
  bool gated_ = false;  // SwiGLU (Shazeer, arXiv 2002.05202) instead of GELU, in ViT-g
};

}  // namespace uvic
