// Operands of the matrix products, and how the rows of a head are packed into them.
#pragma once

#include "transformer/kernels/simd/units.h"

namespace uvic {
namespace {

// Columns that a register tile takes at once.
constexpr int64_t kPanel = kPanelVecs * kLanes;

// A matrix stored by panels of kPanel columns. In a packed one the rows of a panel follow each other, so that a product
// reads it front to back; in a plain one panel_stride is kPanel and every row is contiguous.
template <class T>
struct Matrix {
  T* data;
  int64_t row_stride, panel_stride;

  // Contiguous from there to the end of the panel.
  T* at(int64_t row, int64_t column) const {
    return data + column / kPanel * panel_stride + row * row_stride + column % kPanel;
  }
};

template <class T>
Matrix<T> plain(T* data, int64_t columns) {
  return {data, columns, kPanel};
}
template <class T>
Matrix<T> packed(T* data, int64_t rows) {
  return {data, kPanel, rows * kPanel};
}
inline int64_t packed_size(int64_t rows, int64_t columns) {
  return rows * round_up(columns, kPanel);
}

// Rows of a head as they are in memory; zero outside.
template <class T>
struct Rows {
  const T* data;
  int64_t stride, count, columns;

  Rows next_head() const { return {data + columns, stride, count, columns}; }
  Rows from(int64_t first, int64_t last) const { return {data + first * stride, stride, last - first, columns}; }
};

// What packers read: a source (r, c) gives the kLanes units from row r, column c on. Units hold neighbours of a row,
// for a sum over columns, or of a column, for a sum over rows.
template <class Unit, class T>
auto along_rows(const Rows<T>& x) {
  return [x](int64_t row, int64_t unit) {
    constexpr int kDeep = kDepth<Unit>;
    if (row >= x.count) return Vec{};
    const T* from = x.data + row * x.stride + unit * kDeep;
    const int64_t count = x.columns - unit * kDeep;
    if constexpr (kDeep == 1)
      return load_floats(from, count);
    else
      return load_first<Vec>(from, count);
  };
}

template <class Unit, class T>
auto along_columns(const Rows<T>& x) {
  if constexpr (kDepth<Unit> == 1) {
    return along_rows<Unit>(x);
  } else {
    return [x](int64_t unit, int64_t column) {
      const auto half = [&](int64_t row) {
        return row < x.count ? load_first<HalfVec>(x.data + row * x.stride + column, x.columns - column) : HalfVec{};
      };
      return pair_up(half(2 * unit), half(2 * unit + 1));
    };
  }
}

// to[r, c] = source(r, c)
template <class Unit, class Source>
void pack(Matrix<Unit> to, int64_t rows, int64_t columns, const Source& source) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; c += kLanes) store(to.at(r, c), source(r, c));
}

// to[c, r] = source(r, c)
template <class Unit, class Source>
void pack_transposed(Matrix<Unit> to, int64_t rows, int64_t columns, const Source& source) {
  for (int64_t r = 0; r < rows; r += kLanes)
    for (int64_t c = 0; c < columns; c += kLanes) {
      Vec block[kLanes];
      for (int i = 0; i < kLanes; ++i) block[i] = source(r + i, c);
      transpose(block);
      for (int i = 0; i < kLanes; ++i) store(to.at(c + i, r), block[i]);
    }
}

}  // namespace
}  // namespace uvic
