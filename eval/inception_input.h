// How an image becomes the input of the Inception network. The number that comes out depends on it, so it has a name.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

// [B, C, H, W] float32 to height x width, bilinear without antialiasing. Pixels are squares around their centres
// (PyTorch's align_corners=False), or points at i * in / out (TensorFlow 1) unless `centred`. Written out because
// LibTorch's own rounds the places differently on different processors.
Tensor resize_bilinear(const Tensor& images, int64_t height, int64_t width, bool centred);

// [B, 3, H, W] uint8 -> [B, 3, 299, 299] float32, 0 to 255 becoming about -1 to 1.
using InceptionInput = Tensor (*)(const Tensor& images);
std::span<const Entry<InceptionInput>> resize_modes();  // pytorch-fid, clean, tf

}  // namespace uvic
