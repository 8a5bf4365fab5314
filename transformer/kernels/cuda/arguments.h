// What the launcher (cog_attention.cu, and the emulation in tests) and the op (cog_op.cpp) agree on.
#pragma once

#include <cstdint>

#include "transformer/kernels/kernel_table.h"

namespace uvic {

// One call. Strides count elements. A pointer that a pass does not use may be null.
struct CogArguments {
  Element element;
  int length, heads, head_dim, batch;
  float scale;
  bool causal;
  const int64_t* key_lengths;  // [B]; null: all keys are seen

  const void* qkv;  // [B, L, 3, H, D], rows on multiples of 16 bytes
  struct {
    int64_t image, token, part, head;
  } strides;

  void* out;          // [B, L, H, D]
  float* statistics;  // [B, H, 2, L]: max of |scores| in units of ln 2, 1 / sum of exponentials

  const void* d_out;  // [B, L, H, D]
  float* row_dots;    // [B, H, L]: d_out . out
  void* d_qkv;        // [B, L, 3, H, D]
};

// Forward reads qkv. The backward passes read qkv, statistics and d_out: kRowDots (which reads out too) comes first,
// then the gradient of the queries and that of keys and values, in any order.
enum class CogPass { kForward, kRowDots, kQueryGradient, kKeyGradient };

// Head dimensions that there are kernels for.
constexpr int kCogHeadDims[] = {32, 64, 80, 128};

}  // namespace uvic
