// float32 matrix products on vectors of 16, for machines on which LibTorch's library does without them.
#pragma once

#include "transformer/kernels/product_kernels.h"
#include "transformer/kernels/simd/matrix.h"

namespace uvic {
namespace {

#if defined(__AVX512F__)

// Rows of C in registers, beside the two vectors of a panel of B.
constexpr int kSumRows = 12;
// Of A and of a panel of B: what is packed at once stays in the L2 cache, a panel's part in the L1 cache.
constexpr int64_t kPackedRows = 8 * kSumRows, kPackedDepth = 128;
constexpr int64_t kPanelBlock = kPanelColumns * kBlockDepth;

inline int64_t panel_size(const ProductShape& shape) {
  return (shape.depth + kBlockDepth - 1) / kBlockDepth * kPanelBlock;
}

// to[k * stride + i] = x[i * row_stride + k * column_stride] for `count` rows i; kLanes numbers are written for each k,
// in order, zeros behind the rows.
inline void pack_columns(const float* x, int64_t row_stride, int64_t column_stride, int64_t count, int64_t depth,
                         int64_t stride, float* to) {
  if (row_stride == 1) {
    for (int64_t k = 0; k < depth; ++k) store(to + k * stride, load_floats(x + k * column_stride, count));
    return;
  }
  for (int64_t k = 0; k < depth; k += kLanes) {
    Vec block[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) block[i] = i < count ? load_floats(x + i * row_stride + k, depth - k) : Vec{};
    transpose(block);
    for (int64_t i = 0; i < smaller<int64_t>(kLanes, depth - k); ++i) store(to + (k + i) * stride, block[i]);
  }
}

inline void pack_float_panels(const ProductShape& shape, const Strided& b, int64_t first_panel, int64_t last_panel,
                              void* to) {
  for (int64_t panel = first_panel; panel < last_panel; ++panel)
    for (int64_t i = 0; i < kPanelColumns; i += kLanes) {
      const int64_t column = panel * kPanelColumns + i;
      pack_columns(b.data + column * b.column_stride, b.column_stride, b.row_stride,
                   larger<int64_t>(0, smaller<int64_t>(kLanes, shape.columns - column)), shape.depth, kPanelColumns,
                   static_cast<float*>(to) + panel * panel_size(shape) + i);
    }
}

// a [depth][kSumRows], b [depth][kPanelColumns]
inline void multiply_packed(const float* a, const float* b, int64_t depth, Vec (&sum)[kSumRows][2]) {
#pragma GCC unroll 12
  for (int i = 0; i < kSumRows; ++i) sum[i][0] = sum[i][1] = Vec{};
  for (int64_t k = 0; k < depth; ++k) {
    const Vec left = load(b + k * kPanelColumns), right = load(b + k * kPanelColumns + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < kSumRows; ++i) {
      const Vec x = broadcast(a[k * kSumRows + i]);
      sum[i][0] = x * left + sum[i][0];
      sum[i][1] = x * right + sum[i][1];
    }
  }
}

// The sums of each kPackedDepth are added up: shorter chains, so smaller rounding errors.
inline void multiply_floats(const ProductShape& shape, const Strided& a, const void* packed_b, const float* bias,
                            float* c, int64_t first_row, int64_t last_row, void* workspace) {
  float* const packed_a = static_cast<float*>(workspace);
  for (int64_t rows = first_row; rows < last_row; rows += kPackedRows) {
    const int64_t rows_end = smaller(rows + kPackedRows, last_row);
    for (int64_t k = 0; k < shape.depth; k += kPackedDepth) {
      const int64_t depth = smaller(kPackedDepth, shape.depth - k);
      for (int64_t row = rows; row < rows_end; row += kSumRows)
        pack_columns(a.data + row * a.row_stride + k * a.column_stride, a.row_stride, a.column_stride,
                     smaller<int64_t>(kSumRows, rows_end - row), depth, kSumRows, packed_a + (row - rows) * depth);
      for (int64_t column = 0; column < shape.columns; column += kPanelColumns) {
        const float* right =
            static_cast<const float*>(packed_b) + column / kPanelColumns * panel_size(shape) + k * kPanelColumns;
        for (int64_t row = rows; row < rows_end; row += kSumRows) {
          Vec sum[kSumRows][2];
          multiply_packed(packed_a + (row - rows) * depth, right, depth, sum);
          const int64_t width = shape.columns - column;
#pragma GCC unroll 12
          for (int i = 0; i < kSumRows; ++i) {
            if (row + i >= rows_end) break;
            float* const to = c + (row + i) * shape.columns + column;
            for (int j = 0; j < 2; ++j) {
              const int64_t left = width - j * kLanes;
              if (left <= 0) break;
              Vec& x = sum[i][j];
              if (k > 0)
                x += load_floats(to + j * kLanes, left);
              else if (bias)
                x += load_floats(bias + column + j * kLanes, left);
              store_floats(to + j * kLanes, x, left);
            }
          }
        }
      }
    }
  }
}

// A vector more, since packing writes whole ones.
constexpr ProductKernels kAllFloatProducts = {4 * kPanelBlock, pack_float_panels,
                                              4 * (kPackedRows * kPackedDepth + kLanes), multiply_floats};
constexpr const ProductKernels* kFloatProducts = &kAllFloatProducts;

#else

constexpr const ProductKernels* kFloatProducts = nullptr;

#endif

}  // namespace
}  // namespace uvic
