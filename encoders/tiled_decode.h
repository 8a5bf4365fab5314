// Pictures of large latents in little memory.
#pragma once

#include "encoders/autoencoder_kl.h"

namespace uvic {

constexpr int64_t kSmallestTile = 8;  // latents; smaller squares would be mostly overlap

// As autoencoder.decode(latents), in squares of `tile` latents that overlap by a quarter and fade into each other, so
// that the memory is that of one square. Not the same picture to the bit: the attention in the middle sees one square
// at a time. tile 0, or one that covers the latents: decoded as a whole.
Tensor decode_tiled(const AutoencoderKl& autoencoder, const Tensor& latents, int64_t tile);

// About the bytes that decoding a square of `side` latents takes at its peak, beside the weights: the last level holds
// nine tensors of its widest layer at once, float32, as was measured with Stable Diffusion's.
int64_t decoding_bytes(const AutoencoderConfig& config, int64_t side);

// The largest tile of 8, 16, 24 ... latents that takes at most `bytes`, but not less than kSmallestTile; 0 if a picture
// of `side` latents as a whole takes no more.
int64_t tile_within(const AutoencoderConfig& config, int64_t side, int64_t bytes);

}  // namespace uvic
