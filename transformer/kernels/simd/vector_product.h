// Products of one row and a matrix, each element of which is read once: packing it would take longer.
#pragma once

#include "transformer/kernels/simd/matrix.h"

namespace uvic {
namespace {

// out (+)= x B for kVecs vectors of columns side by side, the last one perhaps not full.
template <int kVecs>
void add_rows_of(int64_t depth, const float* x, const float* b, int64_t row_stride, int64_t columns, bool add,
                 float* out) {
  Vec sum[kVecs];
  for (int j = 0; j < kVecs; ++j) sum[j] = add ? load_floats(out + j * kLanes, columns - j * kLanes) : Vec{};
  for (int64_t k = 0; k < depth; ++k, b += row_stride) {
    const Vec left = broadcast(x[k]);
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j)
      sum[j] += left * (kVecs > 1 ? load(b + j * kLanes) : load_floats(b + j * kLanes, columns - j * kLanes));
  }
  for (int j = 0; j < kVecs; ++j) store_floats(out + j * kLanes, sum[j], columns - j * kLanes);
}

inline float dot(int64_t depth, const float* a, const float* b) {
  Vec sum[4] = {};
  int64_t k = 0;
  for (; k + 4 * kLanes <= depth; k += 4 * kLanes)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sum[j] += load(a + k + j * kLanes) * load(b + k + j * kLanes);
  for (; k < depth; k += kLanes) sum[0] += load_floats(a + k, depth - k) * load_floats(b + k, depth - k);
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

inline void vector_by_rows(int64_t depth, const float* x, const float* b, int64_t row_stride, int64_t columns, bool add,
                           float* out) {
  constexpr int kVecs = 8;
  int64_t i = 0;
  for (; i + kVecs * kLanes <= columns; i += kVecs * kLanes)
    add_rows_of<kVecs>(depth, x, b + i, row_stride, columns - i, add, out + i);
  for (; i + 4 * kLanes <= columns; i += 4 * kLanes)
    add_rows_of<4>(depth, x, b + i, row_stride, columns - i, add, out + i);
  for (; i < columns; i += kLanes) add_rows_of<1>(depth, x, b + i, row_stride, columns - i, add, out + i);
}

inline void vector_by_columns(int64_t depth, const float* x, const float* b, int64_t column_stride, int64_t columns,
                              float* out) {
  for (int64_t i = 0; i < columns; ++i) out[i] = dot(depth, x, b + i * column_stride);
}

}  // namespace
}  // namespace uvic
