// One decoder for each format that core/image reads, and what they share. Internal to core.
//
// A decoder works on bytes in memory and opens no file. It gives [H, W, 3] uint8 as Pillow's convert("RGB"), or throws
// an Error that names `name`: damaged, truncated, of an unusual kind, too large.
#pragma once

#include <string>
#include <string_view>

#include "core/image/image.h"

namespace uvic {

Tensor decode_bmp(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_gif(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_jpeg(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_png(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_pnm(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_tiff(std::string_view bytes, const std::string& name, Alpha alpha);
Tensor decode_webp(std::string_view bytes, const std::string& name, Alpha alpha);

constexpr int64_t kMostPixels = 178'956'970;                // as Pillow: 512 MiB of RGB
constexpr int64_t kMostPictureMemory = int64_t{640} << 20;  // of a picture with what its decoder needs beside it

// Called with the size that the header states, before anything is allocated. `work` is what the decoder needs beside
// the picture, in bytes. Error if one of the limits is passed. Waits while other threads' pictures take the memory
// (PictureMemory in core/image/image.h).
void reserve_picture(int64_t width, int64_t height, int64_t work, const std::string& name);
Tensor new_picture(int64_t width, int64_t height, int64_t work, const std::string& name);  // and its pixels, unset

// Pillow's 8-bit product: a b / 255, rounded.
inline uint8_t multiply_255(int a, int b) {
  const int product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

// Pillow's CMYK to RGB; 255 is full ink.
inline void put_inks(const uint8_t* cmyk, uint8_t* rgb) {
  for (int c = 0; c < 3; ++c) rgb[c] = (255 - cmyk[3]) - multiply_255(cmyk[c], 255 - cmyk[3]);
}

}  // namespace uvic
