// The matrix product of bfloat16 pairs on AMX tiles of 16 rows x 16 units. Rows of A and C are padded to whole tiles.
#pragma once

#include "transformer/kernels/simd/product.h"

namespace uvic {
namespace {

#if defined(__AMX_BF16__)

// GCC's tile intrinsics do not say that they touch memory; this keeps other accesses on their side of them.
inline void order_memory(const void* touched) {
  __asm__ volatile("" : : "r"(touched) : "memory");
}

// All eight tiles at full size. Other libraries configure tiles as well, so they are ours for the length of a task
// only.
class TileScope {
 public:
  TileScope() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    order_memory(&config);
    _tile_loadconfig(&config);
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

// Tiles 0..3 are C, 4 and 5 rows of A, 6 and 7 columns of B. The intrinsics are macros that need literal numbers.
template <bool kTwoRows, bool kTwoColumns>
void multiply_tiles(const Matrix<float>& c, const Factors<Bf16Pair>& f, int64_t row, int64_t column, bool add) {
  const int64_t c_stride = c.row_stride * 4, a_stride = f.a.row_stride * 4, b_stride = f.b.row_stride * 4;
  float *c0 = c.at(row, column), *c1 = c0 + 16 * c.row_stride;
  if (add) {
    _tile_loadd(0, c0, c_stride);
    if constexpr (kTwoColumns) _tile_loadd(1, c0 + 16, c_stride);
    if constexpr (kTwoRows) _tile_loadd(2, c1, c_stride);
    if constexpr (kTwoRows && kTwoColumns) _tile_loadd(3, c1 + 16, c_stride);
  } else {
    _tile_zero(0);
    if constexpr (kTwoColumns) _tile_zero(1);
    if constexpr (kTwoRows) _tile_zero(2);
    if constexpr (kTwoRows && kTwoColumns) _tile_zero(3);
  }
  const Bf16Pair *a = f.a.at(row, 0), *b = f.b.at(0, column);
  for (int64_t k = 0; k < f.depth; k += 16) {
    _tile_loadd(4, a + k, a_stride);
    _tile_loadd(6, b + k * f.b.row_stride, b_stride);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoColumns) {
      _tile_loadd(7, b + k * f.b.row_stride + 16, b_stride);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoRows) {
      _tile_loadd(5, a + k + 16 * f.a.row_stride, a_stride);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (kTwoRows && kTwoColumns) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c0, c_stride);
  if constexpr (kTwoColumns) _tile_stored(1, c0 + 16, c_stride);
  if constexpr (kTwoRows) _tile_stored(2, c1, c_stride);
  if constexpr (kTwoRows && kTwoColumns) _tile_stored(3, c1 + 16, c_stride);
}

template <>
void multiply(const Matrix<float>& c, const Factors<Bf16Pair>& f, bool add, Prefetcher& ahead) {
  order_memory(c.data);
  for (int64_t column = 0; column < f.columns; column += 32)
    for (int64_t row = 0; row < f.rows; row += 32) {
      const bool two_rows = row + 16 < f.rows, two_columns = column + 16 < f.columns;
      if (two_rows && two_columns)
        multiply_tiles<true, true>(c, f, row, column, add);
      else if (two_rows)
        multiply_tiles<true, false>(c, f, row, column, add);
      else if (two_columns)
        multiply_tiles<false, true>(c, f, row, column, add);
      else
        multiply_tiles<false, false>(c, f, row, column, add);
      ahead.next();
    }
  order_memory(c.data);
}

#else

struct TileScope {};

#endif

}  // namespace
}  // namespace uvic
