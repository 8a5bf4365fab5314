// Where a block of threads works: rows of one head of one image.
#pragma once

#include "transformer/kernels/cuda/tiles.h"

namespace uvic::gpu {

constexpr float kLog2E = 1.44269504088896340736F;

// A block of threads for each kBlockRows of `rows` rows of each head.
inline int blocks_of_rows(const CogArguments& a, int rows) {
  return a.batch * a.heads * ((rows + kBlockRows - 1) / kBlockRows);
}

template <class T>
struct BlockOfRows {
  const CogArguments& a;
  int first;  // of kBlockRows rows
  int image, head;

  UVIC_DEVICE BlockOfRows(const CogArguments& a, int rows) : a(a) {
    const int blocks = (rows + kBlockRows - 1) / kBlockRows, index = block_index();
    first = index % blocks * kBlockRows;
    head = index / blocks % a.heads;
    image = index / blocks / a.heads;
  }

  UVIC_DEVICE int warp_first() const { return first + warp_index() * kWarpRows; }

  // Those of this head.
  UVIC_DEVICE Rows<const T> rows(const CogTensor<const void>& x) const {
    return {static_cast<const T*>(x.data) + image * x.image + head * x.head, x.token};
  }
  UVIC_DEVICE Rows<T> rows(const CogTensor<void>& x) const {
    return {static_cast<T*>(x.data) + image * x.image + head * x.head, x.token};
  }
  // Of a contiguous [B, queries, H, D].
  template <class U>
  UVIC_DEVICE Rows<U> packed(U* tensor) const {
    const int64_t stride = static_cast<int64_t>(a.heads) * a.head_dim;
    return {tensor + image * a.queries * stride + static_cast<int64_t>(head) * a.head_dim, stride};
  }
  // Element 0 of `count` vectors [queries] of this head.
  UVIC_DEVICE float* vectors(float* tensor, int count) const {
    return tensor + (static_cast<int64_t>(image) * a.heads + head) * count * a.queries;
  }
  // Ends of the intervals of this image's queries.
  UVIC_DEVICE const int32_t* ends(const int32_t* x) const {
    return a.by_image ? x + static_cast<int64_t>(image) * a.queries : x;
  }
};

// The keys that a query sees, the prefix apart.
struct Sight {
  int first, last;

  template <class T>
  static UVIC_DEVICE Sight of(const BlockOfRows<T>& block, int query) {
    if (query >= block.a.queries) return {0, 0};
    if (block.a.first == nullptr) return {0, block.a.keys};
    return {block.ends(block.a.first)[query], block.ends(block.a.last)[query]};
  }
};

// Blocks of kKeys keys that a block of queries goes through: those of the prefix, then those that any of them sees.
template <int kKeys>
struct KeyBlocks {
  int prefix, first, last;

  template <class T>
  UVIC_DEVICE explicit KeyBlocks(const BlockOfRows<T>& block) : prefix(block.a.prefix), first(block.a.keys), last(0) {
    for (int i = 0; i < kBlockRows; ++i) {
      const Sight sight = Sight::of(block, block.first + i);
      if (sight.first >= sight.last) continue;
      first = sight.first < first ? sight.first : first;
      last = sight.last > last ? sight.last : last;
    }
  }
  UVIC_DEVICE int begin() const { return prefix > 0 ? 0 : first; }
  UVIC_DEVICE bool has(int key) const { return key < prefix || key < last; }
  UVIC_DEVICE int next(int key) const { return key < prefix && key + kKeys >= prefix ? first : key + kKeys; }
  // Of the part, prefix or not, that the block at `key` is of.
  UVIC_DEVICE int end(int key) const { return key < prefix ? prefix : last; }
  // What a query sees of that part.
  UVIC_DEVICE Sight seen(const Sight& sight, int key) const { return key < prefix ? Sight{0, prefix} : sight; }
};

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
