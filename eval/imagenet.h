// How networks trained on ImageNet with PyTorch see colours.
#pragma once

#include "core/tensor.h"

namespace uvic {

// [B, 3, H, W] float32 of 0 to 255, in place: scaled to 0 to 1, less the mean of the channels, by their deviation.
inline Tensor& normalize_imagenet(Tensor& pixels) {
  const Tensor mean = at::tensor({0.485f, 0.456f, 0.406f}).view({1, 3, 1, 1});
  const Tensor deviation = at::tensor({0.229f, 0.224f, 0.225f}).view({1, 3, 1, 1});
  return pixels.div_(255).sub_(mean).div_(deviation);
}

}  // namespace uvic
