// Elements in memory, and the 32-bit units in which products are computed: one float32, or a pair of bfloat16 that are
// neighbours along the summed dimension. A product of two units adds kDepth<Unit> products of elements to a float32.
#pragma once

#include "transformer/kernels/simd/vec.h"

namespace uvic {
namespace {

struct Bf16Pair {
  Bf16 even, odd;
};

template <class Unit>
constexpr int kDepth = 1;
template <>
constexpr int kDepth<Bf16Pair> = 2;

// Every dimension of an operand is padded with zeros to a multiple of this many elements: whole vectors, whole tiles.
template <class Unit>
constexpr int64_t kPad = kDepth<Unit>* kLanes;

// kLanes bfloat16.
typedef uint16_t HalfVec __attribute__((vector_size(2 * kLanes)));

// GCC widens 16 lanes in two halves by itself, and warns of the intrinsic without a mask.
inline IntVec widen(HalfVec x) {
#if defined(__AVX512F__)
  return reinterpret_cast<IntVec>(_mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(x)));
#else
  return __builtin_convertvector(x, IntVec);
#endif
}

inline Vec to_floats(HalfVec x) {
  return reinterpret_cast<Vec>(widen(x) << 16);
}

// Rounded to nearest even.
inline HalfVec to_bf16(Vec x) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<HalfVec>(_mm512_cvtneps_pbh(x));
#else
  const IntVec bits = reinterpret_cast<IntVec>(x);
  const IntVec rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return __builtin_convertvector(x == x ? rounded : IntVec{} + 0x7fc0, HalfVec);
#endif
}

// Units of the two rows.
inline Vec pair_up(HalfVec even, HalfVec odd) {
  return reinterpret_cast<Vec>(widen(even) | widen(odd) << 16);
}

// The first `count` elements at `from`, then zeros.
template <class V, class T>
V load_first(const T* from, int64_t count) {
  constexpr int64_t kCount = sizeof(V) / sizeof(T);
  if (count >= kCount) return load<V>(from);
  V x{};
  if (count > 0) __builtin_memcpy(&x, from, static_cast<size_t>(count) * sizeof(T));
  return x;
}
inline Vec load_floats(const float* from, int64_t count) {
  return load_first<Vec>(from, count);
}
inline Vec load_floats(const Bf16* from, int64_t count) {
  return to_floats(load_first<HalfVec>(from, count));
}

template <class V, class T>
void store_first(T* to, V x, int64_t count) {
  constexpr int64_t kCount = sizeof(V) / sizeof(T);
  if (count >= kCount) return store(to, x);
  const V copy = x;  // x itself stays in a register
  __builtin_memcpy(to, &copy, static_cast<size_t>(count) * sizeof(T));
}
inline void store_floats(float* to, Vec x, int64_t count) {
  store_first(to, x, count);
}
inline void store_floats(Bf16* to, Vec x, int64_t count) {
  store_first(to, to_bf16(x), count);
}

// kLanes of them, to an aligned address.
inline void stream_floats(float* to, Vec x) {
  stream(to, x);
}
inline void stream_floats(Bf16* to, Vec x) {
  stream(to, to_bf16(x));
}

}  // namespace
}  // namespace uvic
