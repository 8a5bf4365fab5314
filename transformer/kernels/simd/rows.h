// The row-wise passes of a block. Most loops are written for the compiler to vectorise.
#pragma once

#include "transformer/kernels/simd/gelu.h"
#include "transformer/kernels/simd/matrix.h"

namespace uvic {
namespace {

inline float read(float value) {
  return value;
}
inline float read(Bf16 value) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16);
}

inline void write(float value, float& out) {
  out = value;
}
// Rounds to nearest, ties to even; a NaN stays one, because its payload is cut, not rounded up.
inline void write(float value, Bf16& out) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  out.bits = static_cast<uint16_t>((value == value ? rounded : bits | 0x400000u) >> 16);
}

template <class T>
void add(int64_t rows, int64_t dim, const float* x, const T* branch, const float* bias, float* out) {
  for (int64_t row = 0; row < rows; ++row, x += dim, branch += dim, out += dim) {
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) out[i] = x[i] + (read(branch[i]) + bias[i]);
  }
}

template <class T>
void norm(int64_t rows, int64_t dim, const float* x, const T* branch, const float* bias, const float* gamma,
          const float* beta, float* sum_out, T* y, float* statistics) {
  const float scale = 1.0f / static_cast<float>(dim);
  for (int64_t row = 0; row < rows; ++row, x += dim, y += dim, statistics += 2) {
    const float* z = x;
    if (branch != nullptr) {
      add(1, dim, x, branch, bias, sum_out);
      z = sum_out;
      branch += dim;
      sum_out += dim;
    }
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < dim; ++i) sum += z[i];
    const float mean = sum * scale;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < dim; ++i) squares += (z[i] - mean) * (z[i] - mean);
    const float inverse = 1.0f / __builtin_sqrtf(squares * scale + 1e-5f);
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) write((z[i] - mean) * inverse * gamma[i] + beta[i], y[i]);
    statistics[0] = mean;
    statistics[1] = inverse;
  }
}

template <class T>
void norm_backward(int64_t rows, int64_t dim, const T* dy, const float* x, const float* statistics, const float* gamma,
                   const float* residual, float* dx, T* dx_cast, float* d_gamma, float* d_beta, float* dx_sum) {
  const float scale = 1.0f / static_cast<float>(dim);
  for (int64_t row = 0; row < rows; ++row, dy += dim, x += dim, dx += dim, statistics += 2) {
    const float mean = statistics[0], inverse = statistics[1];
    float sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (int64_t i = 0; i < dim; ++i) {
      const float d = read(dy[i]), normalized = (x[i] - mean) * inverse, g = d * gamma[i];
      sum += g;
      dot += g * normalized;
      d_gamma[i] += d * normalized;
      d_beta[i] += d;
    }
    sum *= scale;
    dot *= scale;
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) dx[i] = inverse * (read(dy[i]) * gamma[i] - sum - (x[i] - mean) * inverse * dot);
    if (residual != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) dx[i] += residual[i];
      residual += dim;
    }
    if (dx_cast != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) write(dx[i], dx_cast[i]);
      dx_cast += dim;
    }
    if (dx_sum != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) dx_sum[i] += dx[i];
    }
  }
}

template <class T>
void cast(int64_t rows, int64_t dim, const float* x, T* out, int64_t out_stride, float* sum) {
  for (int64_t row = 0; row < rows; ++row, x += dim, out += out_stride) {
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) write(x[i], out[i]);
    if (sum != nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < dim; ++i) sum[i] += x[i];
    }
  }
}

template <class T>
void transpose(int64_t rows, int64_t dim, const T* x, T* out, int64_t out_stride) {
  const auto values = along_rows<float>(Rows<T>{x, dim, rows, dim});
  for (int64_t c = 0; c < dim; c += kLanes)
    for (int64_t r = 0; r < rows; r += kLanes) {
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) block[i] = values(r + i, c);
      transpose(block);
      for (int i = 0; i < kLanes && c + i < dim; ++i) store_floats(out + (c + i) * out_stride + r, block[i], rows - r);
    }
}

template <class T>
constexpr RowKernels<T> kRowKernels = {add<T>,           norm<T>, norm_backward<T>, gelu<T>,
                                       gelu_backward<T>, cast<T>, transpose<T>};

}  // namespace
}  // namespace uvic
