// GELU with the bias in front of it, and its gradient.
#pragma once

#include "transformer/kernels/simd/units.h"

namespace uvic {
namespace {

// Not precise: to 14 bits or more.
template <bool kPrecise>
Vec reciprocal(Vec x) {
  if constexpr (kPrecise) return 1 / x;
#if defined(__AVX512F__)
  return _mm512_maskz_rcp14_ps(0xffff, x);
#else
#if defined(__AVX2__)
  const Vec rough = _mm256_rcp_ps(x);
#else
  const Vec rough = _mm_rcp_ps(x);
#endif
  return rough * (2 - x * rough);  // rough has 11 bits, a step of Newton doubles them
#endif
}

struct Normal {
  Vec distribution, density_times_z;  // Phi(z), z phi(z)
};

// Abramowitz and Stegun 7.1.26 for the complementary error function, absolute error 1.5e-7; the exponential serves
// both. Not precise: to about 1e-4 of the result, which bfloat16 does not see.
template <bool kPrecise>
Normal normal(Vec z) {
  constexpr float kRootHalf = 0.70710678f, kHalfLog2E = 0.72134752f, kDensity = 0.39894228f;
  const IntVec sign = reinterpret_cast<IntVec>(z) & INT32_MIN;
  const Vec magnitude = reinterpret_cast<Vec>(reinterpret_cast<IntVec>(z) ^ sign);
  const Vec t = reciprocal<kPrecise>(magnitude * (0.3275911f * kRootHalf) + 1.0f);
  const Vec exponential = exp2<kPrecise>(z * z * -kHalfLog2E);
  Vec p = broadcast(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vec tail = 0.5f * p * t * exponential;
  return {sign != 0 ? tail : 1.0f - tail, z * kDensity * exponential};
}

template <class T>
constexpr bool kIsPrecise = sizeof(T) == sizeof(float);

template <class T>
void gelu(int64_t rows, int64_t dim, const T* h, const float* bias, T* out) {
  for (int64_t row = 0; row < rows; ++row, h += dim, out += dim)
    for (int64_t i = 0; i < dim; i += kLanes) {
      const Vec z = load_floats(h + i, dim - i) + load_floats(bias + i, dim - i);
      store_floats(out + i, z * normal<kIsPrecise<T>>(z).distribution, dim - i);
    }
}

template <class T>
void gelu_backward(int64_t rows, int64_t dim, const T* h, const float* bias, T* d_out, float* d_bias) {
  for (int64_t row = 0; row < rows; ++row, h += dim, d_out += dim)
    for (int64_t i = 0; i < dim; i += kLanes) {
      const auto at = normal<kIsPrecise<T>>(load_floats(h + i, dim - i) + load_floats(bias + i, dim - i));
      const Vec d = load_floats(d_out + i, dim - i) * (at.distribution + at.density_times_z);
      store_floats(d_out + i, d, dim - i);
      store_floats(d_bias + i, load_floats(d_bias + i, dim - i) + d, dim - i);
    }
}

}  // namespace
}  // namespace uvic
