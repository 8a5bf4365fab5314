// What the launcher (cog_attention.cu, and the emulation in tests) and the op (cog_op.cpp) agree on.
#pragma once

#include <cstdint>

#include "transformer/kernels/kernel_table.h"

namespace uvic {

// A [B, L, H, D] tensor, rows on multiples of 16 bytes; strides count elements.
template <class Void>
struct CogTensor {
  Void* data;
  int64_t image, token, head;
};

// One call. A pointer that a pass does not use may be null.
struct CogArguments {
  Element element;
  int queries, keys, heads, head_dim, batch;
  float scale;

  // Query i sees the keys 0..prefix and first[i]..last[i], prefix <= first[i] <= last[i] <= keys; the same for all
  // images, or [B, queries]. Null: all keys.
  int prefix;
  const int32_t *first, *last;
  bool by_image;

  CogTensor<const void> q, k, v;
  void* out;          // [B, queries, H, D]
  float* statistics;  // [B, H, 2, queries]: max of |scores| in units of ln 2, 1 / sum of exponentials

  const void* d_out;  // [B, queries, H, D]
  float* row_dots;    // [B, H, queries]: d_out . out
  CogTensor<void> d_q, d_k, d_v;
};

// Forward reads q, k and v. The backward passes read them, statistics and d_out: kRowDots (which reads out too) comes
// first, then the gradient of the queries and that of keys and values, in any order.
enum class CogPass { kForward, kRowDots, kQueryGradient, kKeyGradient };

// Head dimensions that there are kernels for.
constexpr int kCogHeadDims[] = {32, 64, 80, 128};

}  // namespace uvic
