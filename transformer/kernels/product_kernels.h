// What a kernel for float32 matrix products computes, C = A B: first B is packed, then rows of C are computed, each by
// pure functions on one thread.
#pragma once

#include <cstdint>

namespace uvic {

// A matrix in memory, of which rows or columns are contiguous.
struct Strided {
  const float* data;
  int64_t row_stride, column_stride;  // one of them is 1
};

// Columns of B that a packed panel holds, and elements of the summed dimension in a block of it. B is padded with zeros
// to whole panels and blocks.
constexpr int64_t kPanelColumns = 32, kBlockDepth = 32;

struct ProductShape {
  int64_t rows, columns, depth;
};

struct ProductKernels {
  int64_t panel_bytes_of_block;  // so much takes a block of a panel, packed
  // The panels first..last of B [depth, columns]; `to` is that of the whole B, aligned to 64 bytes.
  void (*pack)(const ProductShape& shape, const Strided& b, int64_t first_panel, int64_t last_panel, void* to);
  int64_t workspace;  // bytes
  // The rows first..last of C [rows, columns], contiguous, plus `bias` [columns] if that is not null.
  void (*multiply)(const ProductShape& shape, const Strided& a, const void* packed_b, const float* bias, float* c,
                   int64_t first_row, int64_t last_row, void* workspace);
};

}  // namespace uvic
