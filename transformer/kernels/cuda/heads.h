// Where a block of threads works: rows of one head of one image.
#pragma once

#include "transformer/kernels/cuda/tiles.h"

namespace uvic::gpu {

constexpr float kLog2E = 1.44269504088896340736F;

template <class T>
struct BlockOfRows {
  const CogArguments& a;
  int first;  // of kBlockRows rows
  int image, head;
  int keys;  // of this image; those after are seen by no query

  UVIC_DEVICE explicit BlockOfRows(const CogArguments& a) : a(a) {
    const int blocks = (a.length + kBlockRows - 1) / kBlockRows, index = block_index();
    first = index % blocks * kBlockRows;
    head = index / blocks % a.heads;
    image = index / blocks / a.heads;
    keys = a.length;
    if (a.key_lengths != nullptr) {
      const int64_t given = a.key_lengths[image];
      keys = given < 0 ? 0 : given < a.length ? static_cast<int>(given) : a.length;
    }
  }

  UVIC_DEVICE int warp_first() const { return first + warp_index() * kWarpRows; }

  // Queries, keys or values: part 0, 1, 2.
  UVIC_DEVICE Rows<const T> qkv(int part) const {
    return {static_cast<const T*>(a.qkv) + image * a.strides.image + part * a.strides.part + head * a.strides.head,
            a.strides.token};
  }
  // Of a contiguous [B, L, `parts`, H, D].
  template <class U>
  UVIC_DEVICE Rows<U> packed(U* tensor, int parts = 1, int part = 0) const {
    const int64_t stride = static_cast<int64_t>(parts) * a.heads * a.head_dim;
    return {tensor + image * a.length * stride + (static_cast<int64_t>(part) * a.heads + head) * a.head_dim, stride};
  }
  // Element 0 of `count` vectors [L] of this head.
  UVIC_DEVICE float* vectors(float* tensor, int count) const {
    return tensor + (static_cast<int64_t>(image) * a.heads + head) * count * a.length;
  }
};

// A block of threads for each kBlockRows rows of each head.
inline int blocks_of_rows(const CogArguments& a) {
  return a.batch * a.heads * ((a.length + kBlockRows - 1) / kBlockRows);
}

// The sum, or the largest, of the four lanes that hold a row of a tile.
UVIC_DEVICE float sum_of_row(float x) {
  x += shuffle_xor(x, 1);
  return x + shuffle_xor(x, 2);
}

UVIC_DEVICE float max_of_row(float x) {
  x = fmaxf(x, shuffle_xor(x, 1));
  return fmaxf(x, shuffle_xor(x, 2));
}

// share = exp(|p|) / sum -> sign(p) share, with sign(0) = 0
UVIC_DEVICE float with_sign(float share, float score) {
  return score != 0 ? copysignf(share, score) : 0;
}

}  // namespace uvic::gpu
