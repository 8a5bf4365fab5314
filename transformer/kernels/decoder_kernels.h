// The passes of a decoder's layer on CPU, in float32; matrices are row-major and contiguous.
#pragma once

#include <cstdint>

namespace uvic {

struct DecoderKernels {
  // inverse [rows] = 1 / sqrt(mean(x^2) + epsilon); y = x inverse weight
  void (*rms_norm)(int64_t rows, int64_t dim, const float* x, const float* weight, float epsilon, float* y,
                   float* inverse);
  // Gradients of that; d_weight [dim] is added to what is there, row after row.
  void (*rms_norm_backward)(int64_t rows, int64_t dim, const float* dy, const float* x, const float* weight,
                            const float* inverse, float* dx, float* d_weight);
  // The pairs (2 i, 2 i + 1) of each head of a token turn by the angle i, whose cosines and sines [dim / 2] are given.
  void (*rotate)(int64_t heads, int64_t dim, const float* x, const float* cos, const float* sin, float* out);
  // out = g silu(p), silu(p) = p / (1 + exp(-p))
  void (*gate)(int64_t count, const float* g, const float* p, float* out);
  void (*gate_backward)(int64_t count, const float* d, const float* g, const float* p, float* dg, float* dp);
  // The elements first..last of x B [columns], x [depth]; rows or columns of B are contiguous.
  void (*vector_product)(int64_t depth, const float* x, const float* b, int64_t row_stride, int64_t column_stride,
                         int64_t first, int64_t last, float* out);
};

}  // namespace uvic
