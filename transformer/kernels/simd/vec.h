// Vectors of float32 of the instruction set that this file is compiled for.
//
// All of simd/ is compiled once per instruction set. It therefore lives in an anonymous namespace and uses nothing of
// the standard library or LibTorch: of an inline function that two files share, the linker keeps one copy, and that
// could be the one with AVX-512 in a program that runs without.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace uvic {
namespace {

// kPanelVecs: vectors side by side in a register tile; six rows of them leave registers for the operands.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kPanelVecs = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kPanelVecs = 2;
#else
constexpr int kLanes = 4, kPanelVecs = 2;
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef uint32_t UIntVec __attribute__((vector_size(4 * kLanes)));

template <class V = Vec>
V load(const void* from) {
  V x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}

template <class V>
void store(void* to, V x) {
  __builtin_memcpy(to, &x, sizeof(x));
}

// Past the caches, to an aligned address. finish_streams() comes before other threads read it.
template <class V>
void stream(void* to, V x) {
  if constexpr (sizeof(V) == 16) return _mm_stream_si128(static_cast<__m128i*>(to), reinterpret_cast<__m128i>(x));
#if defined(__AVX2__)
  if constexpr (sizeof(V) == 32) return _mm256_stream_si256(static_cast<__m256i*>(to), reinterpret_cast<__m256i>(x));
#endif
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) return _mm512_stream_si512(static_cast<__m512i*>(to), reinterpret_cast<__m512i>(x));
#endif
  store(to, x);
}

inline void finish_streams() {
  _mm_sfence();
}

inline Vec broadcast(float x) {
  return x - Vec{};
}

inline Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xffff, a, b);  // GCC warns of the plain one
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return _mm_max_ps(a, b);
#endif
}

template <int... kIndex>
struct Lanes {};
// Lanes<0, 1, ... kCount - 1>
template <int kCount, int... kIndex>
struct CountLanes : CountLanes<kCount - 1, kCount - 1, kIndex...> {};
template <int... kIndex>
struct CountLanes<0, kIndex...> {
  using Type = Lanes<kIndex...>;
};
using AllLanes = CountLanes<kLanes>::Type;

template <int... kIndex>
IntVec lane_numbers(Lanes<kIndex...>) {
  return IntVec{kIndex...};
}
inline IntVec lane_numbers() {
  return lane_numbers(AllLanes{});
}

// a0 b0 a1 b1 ... of the lower (kFrom = 0) or upper (kFrom = kLanes / 2) halves.
template <int kFrom, int... kIndex>
Vec interleave(Vec a, Vec b, Lanes<kIndex...>) {
  return __builtin_shufflevector(a, b, (kFrom + kIndex / 2 + kIndex % 2 * kLanes)...);
}

template <int kStep, int... kIndex>
Vec rotate(Vec x, Lanes<kIndex...>) {
  return __builtin_shufflevector(x, x, ((kIndex + kStep) % kLanes)...);
}

template <int kStep = kLanes / 2, class Combine>
Vec reduce(Vec x, Combine combine) {
  x = combine(x, rotate<kStep>(x, AllLanes{}));
  if constexpr (kStep > 1) return reduce<kStep / 2>(x, combine);
  return x;
}
inline float sum_of(Vec x) {
  return reduce(x, [](Vec a, Vec b) { return a + b; })[0];
}

// Combines the lanes of each row; lane i is row i's.
template <int kRows = kLanes, class Combine>
Vec reduce_rows(Vec* rows, Combine combine) {
  if constexpr (kRows == 1) {
    return rows[0];
  } else {
    constexpr int kHalf = kRows / 2;
    for (int i = 0; i < kHalf; ++i)
      rows[i] = combine(interleave<0>(rows[i], rows[i + kHalf], AllLanes{}),
                        interleave<kLanes / 2>(rows[i], rows[i + kHalf], AllLanes{}));
    return reduce_rows<kHalf>(rows, combine);
  }
}

// log2(kLanes) perfect shuffles of the rows transpose them.
inline void transpose(Vec (&rows)[kLanes]) {
  for (int step = 1; step < kLanes; step *= 2) {
    Vec next[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + kLanes / 2], AllLanes{});
      next[2 * i + 1] = interleave<kLanes / 2>(rows[i], rows[i + kLanes / 2], AllLanes{});
    }
    for (int i = 0; i < kLanes; ++i) rows[i] = next[i];
  }
}

inline int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
template <class T>
T smaller(T a, T b) {
  return a < b ? a : b;
}
template <class T>
T larger(T a, T b) {
  return a < b ? b : a;
}

// Next to the largest weight this is nothing, and no product with it is denormal, which would be slow.
constexpr float kLowestExponent = -100;

// 2^x for x up to 0 and a little above: 2^round(x) from the exponent bits, times a polynomial on [-1/2, 1/2] with
// relative error 1e-7 (precise) or 7.5e-5, which bfloat16 does not see.
template <bool kPrecise>
Vec exp2(Vec x) {
  constexpr float kRound = 12582912;       // 1.5 * 2^23: adding it leaves the rounded integer in the lowest bits
  x = max(broadcast(kLowestExponent), x);  // in this order NaN stays NaN
  const Vec shifted = x + kRound;
  const Vec f = x - (shifted - kRound);
  Vec p;
  if constexpr (kPrecise) {
    p = broadcast(1.3276472e-3f);
    p = p * f + 9.67554133e-3f;
    p = p * f + 5.55071327e-2f;
    p = p * f + 2.40221197e-1f;
    p = p * f + 6.93146967e-1f;
    p = p * f + 1.0f;
  } else {
    p = broadcast(5.51716691e-2f);
    p = p * f + 2.42611122e-1f;
    p = p * f + 6.93260985e-1f;
    p = p * f + 9.99928074e-1f;
  }
  // Unsigned, since what is too large wraps around.
  return reinterpret_cast<Vec>(reinterpret_cast<UIntVec>(p) + (reinterpret_cast<UIntVec>(shifted) << 23));
}

}  // namespace
}  // namespace uvic
