// The matrix product of all attention kernels, C (+)= A B, tile by tile in registers.
#pragma once

#include "transformer/kernels/simd/prefetch.h"

namespace uvic {
namespace {

constexpr int kTileRows = 6;

// Units of the summed dimension taken at once: that part of a panel of B stays in the L1 cache for all rows of A.
constexpr int64_t kDepthBlock = 128;

inline Vec multiply_add(Vec sum, Vec a, Vec b, float) {
  return a * b + sum;
}
#if defined(__AVX512BF16__)
inline Vec multiply_add(Vec sum, Vec a, Vec b, Bf16Pair) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
#endif

// A is plain. Its rows and those of C are `rows`; columns are a multiple of kLanes.
template <class Unit>
struct Factors {
  Matrix<Unit> a, b;
  int64_t rows, columns, depth;  // depth in units
};

// Rows `row`... of C, kRows x kVecs vectors from `column` on, summed over the units first..last.
template <int kRows, int kVecs, class Unit>
void multiply_tile(const Matrix<float>& c, const Factors<Unit>& f, int64_t row, int64_t column, int64_t first,
                   int64_t last, bool add) {
  float* to = c.at(row, column);
  Vec sum[kRows][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j) sum[i][j] = add ? load(to + i * c.row_stride + j * kLanes) : Vec{};
  const Unit *a = f.a.at(row, 0), *b = f.b.at(0, column);
  const int64_t a_stride = f.a.row_stride, b_stride = f.b.row_stride;
  for (int64_t k = first; k < last; ++k) {
    Vec right[kVecs];
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j) right[j] = load(b + k * b_stride + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      float bits;
      __builtin_memcpy(&bits, a + i * a_stride + k, sizeof(bits));
      const Vec left = broadcast(bits);
#pragma GCC unroll 8
      for (int j = 0; j < kVecs; ++j) sum[i][j] = multiply_add(sum[i][j], left, right[j], Unit{});
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j) store(to + i * c.row_stride + j * kLanes, sum[i][j]);
}

// All rows, in tiles of kRows and what is left in smaller ones.
template <int kVecs, int kRows = kTileRows, class Unit>
void multiply_rows(const Matrix<float>& c, const Factors<Unit>& f, int64_t row, int64_t column, int64_t first,
                   int64_t last, bool add, Prefetcher& ahead) {
  for (; row + kRows <= f.rows; row += kRows) {
    multiply_tile<kRows, kVecs>(c, f, row, column, first, last, add);
    ahead.next();
  }
  if constexpr (kRows > 1)
    if (row < f.rows) multiply_rows<kVecs, kRows - 1>(c, f, row, column, first, last, add, ahead);
}

// A panel of `vecs` vectors.
template <int kVecs = kPanelVecs, class Unit>
void multiply_panel(const Matrix<float>& c, const Factors<Unit>& f, int64_t column, int64_t vecs, bool add,
                    Prefetcher& ahead) {
  if constexpr (kVecs > 1)
    if (vecs < kVecs) return multiply_panel<kVecs - 1>(c, f, column, vecs, add, ahead);
  for (int64_t k = 0; k < f.depth; k += kDepthBlock)
    multiply_rows<kVecs>(c, f, 0, column, k, smaller(k + kDepthBlock, f.depth), add || k > 0, ahead);
}

// C = A B, or C += A B.
template <class Unit>
void multiply(const Matrix<float>& c, const Factors<Unit>& f, bool add, Prefetcher& ahead) {
  for (int64_t column = 0; column < f.columns; column += kPanel)
    multiply_panel(c, f, column, smaller(kPanel, f.columns - column) / kLanes, add, ahead);
}

}  // namespace
}  // namespace uvic
