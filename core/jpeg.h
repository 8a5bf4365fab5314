// JPEG to RGB with libjpeg-turbo. Internal to core/image.
#pragma once

#include <string>
#include <string_view>

#include "core/tensor.h"

namespace uvic {

// [H, W, 3] uint8, equal to Pillow's convert("RGB") when both use libjpeg-turbo: the slow integer transform and smooth
// chroma upsampling, and for CMYK (inverted, as Adobe writes it) Pillow's formula. A file that ends early or whose data
// is damaged is an Error that names `name`.
Tensor decode_jpeg(std::string_view bytes, const std::string& name);

}  // namespace uvic
