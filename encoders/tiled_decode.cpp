#include "encoders/tiled_decode.h"

namespace uvic {
namespace {

// Where tiles of that side begin along `length`; the last one ends at the end.
std::vector<int64_t> tile_begins(int64_t length, int64_t tile) {
  std::vector<int64_t> begins;
  const int64_t step = tile - tile / 4;
  for (int64_t begin = 0; begin + tile < length; begin += step) begins.push_back(begin);
  begins.push_back(std::max<int64_t>(0, length - tile));
  return begins;
}

// [length]: 1 inside, falling towards both ends over the overlap; above 0 everywhere, so that a lone tile counts fully.
Tensor fade(int64_t length, int64_t overlap) {
  const Tensor from_begin = at::arange(1, length + 1, at::kFloat), from_end = from_begin.flip(0);
  return (at::minimum(from_begin, from_end) / static_cast<double>(overlap + 1)).clamp_max(1);
}

}  // namespace

Tensor decode_tiled(const AutoencoderKl& autoencoder, const Tensor& latents, int64_t tile) {
  const int64_t height = latents.size(2), width = latents.size(3), factor = autoencoder.factor();
  if (tile == 0 || (tile >= height && tile >= width)) return autoencoder.decode(latents);
  const int64_t tile_height = std::min(tile, height), tile_width = std::min(tile, width);
  const int64_t overlap = std::max<int64_t>(1, tile / 4) * factor;
  const Tensor weight =
      at::outer(fade(tile_height * factor, overlap), fade(tile_width * factor, overlap)).to(latents.device());

  Tensor sum = at::zeros({latents.size(0), autoencoder.config().out_channels, height * factor, width * factor},
                         latents.options());
  Tensor weights = at::zeros({height * factor, width * factor}, latents.options());
  for (const int64_t top : tile_begins(height, tile_height)) {
    for (const int64_t left : tile_begins(width, tile_width)) {
      const auto place = [&](const Tensor& whole) {
        return whole.narrow(-2, top * factor, tile_height * factor).narrow(-1, left * factor, tile_width * factor);
      };
      place(sum).add_(autoencoder.decode(latents.narrow(2, top, tile_height).narrow(3, left, tile_width)) * weight);
      place(weights).add_(weight);
    }
  }
  return sum / weights;
}

int64_t decoding_bytes(const AutoencoderConfig& config, int64_t side) {
  const int64_t pixels = side << (config.channels.size() - 1);
  const int64_t widest = config.channels[std::min<size_t>(1, config.channels.size() - 1)];
  return 9 * int64_t{sizeof(float)} * widest * pixels * pixels;
}

int64_t tile_within(const AutoencoderConfig& config, int64_t side, int64_t bytes) {
  if (decoding_bytes(config, side) <= bytes) return 0;
  int64_t tile = kSmallestTile;
  while (tile + 8 < side && decoding_bytes(config, tile + 8) <= bytes) tile += 8;
  return tile;
}

}  // namespace uvic
