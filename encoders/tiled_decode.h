// Pictures of large latents in little memory.
#pragma once

#include "encoders/autoencoder_kl.h"

namespace uvic {

constexpr int64_t kSmallestTile = 8;  // latents; smaller squares would be mostly overlap

// As autoencoder.decode(latents), in squares of `tile` latents that overlap by a quarter and fade into each other, so
// that the memory is that of one square. Not the same picture to the bit: the attention in the middle sees one square
// at a time. tile 0, or one that covers the latents: decoded as a whole.
Tensor decode_tiled(const AutoencoderKl& autoencoder, const Tensor& latents, int64_t tile);

}  // namespace uvic
