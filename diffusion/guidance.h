// Classifier-free guidance (arXiv 2207.12598) in the usual convention: scale 1 is none, eps = uncond + scale (cond -
// uncond). U-ViT's and CogAttn's scale s is this scale minus 1.
#pragma once

#include "core/tensor.h"

namespace uvic {

inline Tensor guide(const Tensor& cond, const Tensor& uncond, double scale) {
  return at::lerp(uncond, cond, scale);
}

}  // namespace uvic
