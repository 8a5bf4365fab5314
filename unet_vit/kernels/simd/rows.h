// The row-wise passes of a block; the loops are written for the compiler to vectorise.
#pragma once

#include "unet_vit/kernels/row_kernels.h"

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

// exp(x) for x <= 0, relative error 2e-7: 2^n by the exponent bits, 2^f - 1 on |f| <= 1/2 by a polynomial.
inline float exp_negative(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  x = x < -80.0f ? -80.0f : x;           // far from subnormal results, which are slow
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const uint32_t power = (__builtin_bit_cast(uint32_t, shifted) << 23) + 0x3f800000u;
  return p * __builtin_bit_cast(float, power);
}

struct Normal {
  float distribution, density_times_z;  // Phi(z), z phi(z)
};

// Abramowitz and Stegun 7.1.26 for the complementary error function, absolute error 1.5e-7; the exponential serves
// both.
inline Normal normal(float z) {
  const float magnitude = __builtin_fabsf(z) * 0.70710678f;
  const float t = 1.0f / (1.0f + 0.3275911f * magnitude);
  const float exponential = exp_negative(-magnitude * magnitude);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float tail = 0.5f * p * t * exponential;
  return {z < 0 ? tail : 1.0f - tail, z * 0.39894228f * exponential};
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
void gelu(int64_t rows, int64_t dim, const T* h, const float* bias, T* out) {
  for (int64_t row = 0; row < rows; ++row, h += dim, out += dim) {
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) {
      const float z = read(h[i]) + bias[i];
      write(z * normal(z).distribution, out[i]);
    }
  }
}

template <class T>
void gelu_backward(int64_t rows, int64_t dim, const T* h, const float* bias, T* d_out, float* d_bias) {
  for (int64_t row = 0; row < rows; ++row, h += dim, d_out += dim) {
#pragma omp simd
    for (int64_t i = 0; i < dim; ++i) {
      const Normal at = normal(read(h[i]) + bias[i]);
      const float d = read(d_out[i]) * (at.distribution + at.density_times_z);
      write(d, d_out[i]);
      d_bias[i] += d;
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
constexpr RowKernels<T> kRowKernels = {add<T>, norm<T>, norm_backward<T>, gelu<T>, gelu_backward<T>, cast<T>};

}  // namespace
}  // namespace uvic
