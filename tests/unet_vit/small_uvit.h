// A U-ViT of a few thousand numbers.
#pragma once

#include "unet_vit/config.h"

namespace uvic {

inline UVitConfig small_uvit() {
  UVitConfig config;
  config.depth = 4;
  config.dim = 16;
  config.heads = 2;
  config.image_size = 8;
  config.patch = 2;
  return config;
}

}  // namespace uvic
