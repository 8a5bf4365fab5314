// The passes of a decoder's layer.
#pragma once

#include "transformer/kernels/decoder_kernels.h"
#include "transformer/kernels/simd/vector_product.h"

namespace uvic {
namespace {

inline void rms_norm(int64_t rows, int64_t dim, const float* x, const float* weight, float epsilon, float* y,
                     float* inverse) {
  for (int64_t row = 0; row < rows; ++row, x += dim, y += dim) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < dim; ++i) squares += x[i] * x[i];
    const float scale = 1.0f / __builtin_sqrtf(squares / static_cast<float>(dim) + epsilon);
    inverse[row] = scale;
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) y[i] = x[i] * scale * weight[i];
  }
}

inline void rms_norm_backward(int64_t rows, int64_t dim, const float* dy, const float* x, const float* weight,
                              const float* inverse, float* dx, float* d_weight) {
  for (int64_t row = 0; row < rows; ++row, dy += dim, x += dim, dx += dim) {
    const float scale = inverse[row];
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < dim; ++i) {
      dot += dy[i] * weight[i] * x[i];
      d_weight[i] += dy[i] * x[i] * scale;
    }
    const float along = dot * scale * scale / static_cast<float>(dim);
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) dx[i] = scale * (dy[i] * weight[i] - x[i] * along);
  }
}

inline void rotate(int64_t heads, int64_t dim, const float* x, const float* cos, const float* sin, float* out) {
  for (int64_t head = 0; head < heads; ++head, x += dim, out += dim) {
#pragma omp simd
    for (int64_t i = 0; i < dim / 2; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      out[2 * i] = a * cos[i] - b * sin[i];
      out[2 * i + 1] = a * sin[i] + b * cos[i];
    }
  }
}

// 1 / (1 + exp(-x)), by the exponential of -|x|, which cannot overflow.
inline Vec logistic(Vec x) {
  constexpr float kLog2E = 1.44269504f;
  const Vec e = exp2<true>(max(x, -x) * -kLog2E), share = 1.0f / (1.0f + e);
  return x < Vec{} ? e * share : share;
}

// Below this a silu is nothing, and exp2 would not follow. In this order NaN stays NaN.
inline Vec silu_input(Vec x) {
  return max(broadcast(-60), x);
}

inline void gate(int64_t count, const float* g, const float* p, float* out) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec x = silu_input(load_floats(p + i, count - i));
    store_floats(out + i, load_floats(g + i, count - i) * x * logistic(x), count - i);
  }
}

inline void gate_backward(int64_t count, const float* d, const float* g, const float* p, float* dg, float* dp) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const Vec x = silu_input(load_floats(p + i, left)), y = load_floats(d + i, left), s = logistic(x);
    store_floats(dg + i, y * x * s, left);
    store_floats(dp + i, y * load_floats(g + i, left) * s * (1.0f + x * (1.0f - s)), left);
  }
}

inline void vector_product(int64_t depth, const float* x, const float* b, int64_t row_stride, int64_t column_stride,
                           int64_t first, int64_t last, float* out) {
  if (column_stride == 1)
    vector_by_rows(depth, x, b + first, row_stride, last - first, false, out + first);
  else
    vector_by_columns(depth, x, b + first * column_stride, column_stride, last - first, out + first);
}

constexpr DecoderKernels kDecoderKernels = {rms_norm, rms_norm_backward, rotate, gate, gate_backward, vector_product};

}  // namespace
}  // namespace uvic
