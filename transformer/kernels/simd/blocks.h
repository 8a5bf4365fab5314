// What the forward and the backward pass share: sizes of blocks, rows of a head, working memory.
#pragma once

#include "transformer/kernels/kernel_table.h"
#include "transformer/kernels/simd/tiles.h"
#include "transformer/kernels/simd/weighting.h"

namespace uvic {
namespace {

constexpr float kLog2E = 1.44269504f;

// Keys whose packed rows and scores stay in the L2 cache.
constexpr int64_t kKeyBlock = 512;

template <class T>
Rows<T> queries_of(const void* data, int64_t stride, const Head& head) {
  return {static_cast<const T*>(data), stride, head.shape.queries, head.shape.head_dim};
}
template <class T>
Rows<T> keys_of(const void* data, int64_t stride, const Head& head) {
  return {static_cast<const T*>(data), stride, head.shape.keys, head.shape.head_dim};
}

// Keys or columns first..last.
struct Interval {
  int64_t first, last;

  bool is_empty() const { return first >= last; }
};

inline Interval intersection(const Interval& a, const Interval& b) {
  return {larger(a.first, b.first), smaller(a.last, b.last)};
}

// The smallest interval that holds those of the queries first..last, the prefix apart, and the largest that they all
// hold.
struct Sight {
  Interval any, all;

  Sight(const Head& head, int64_t first, int64_t last) {
    if (!head.first) {
      any = all = {0, head.shape.keys};
      return;
    }
    any = {head.shape.keys, 0}, all = {0, head.shape.keys};
    for (int64_t i = first; i < last; ++i) {
      const Interval seen{head.first[i], head.last[i]};
      all = intersection(all, seen);
      if (!seen.is_empty()) any = {smaller(any.first, seen.first), larger(any.last, seen.last)};
    }
  }
};

// Writes `count` rows of `columns` elements, times `factor`.
template <class T>
void write_rows(const Matrix<float>& from, int64_t count, int64_t columns, float factor, T* to, int64_t stride,
                bool past_caches) {
  constexpr int64_t kBytes = kLanes * sizeof(T);
  const bool aligned = reinterpret_cast<uintptr_t>(to) % kBytes == 0 && stride % kLanes == 0 && columns % kLanes == 0;
  for (int64_t r = 0; r < count; ++r, to += stride)
    for (int64_t c = 0; c < columns; c += kLanes) {
      const Vec x = load(from.at(r, c)) * factor;
      if (past_caches && aligned)
        stream_floats(to + c, x);
      else
        store_floats(to + c, x, columns - c);
    }
}

template <class T>
void fill_zero(const Matrix<T>& to, int64_t rows, int64_t columns) {
  pack(to, rows, columns, [](int64_t, int64_t) { return Vec{}; });
}

// Elements of an operand row, of which `to` is the first unit.
inline void store_units(float* to, int64_t element, Vec x) {
  store(to + element, x);
}
inline void store_units(Bf16Pair* to, int64_t element, Vec x) {
  store(&to->even + element, to_bf16(x));
}

// Hands out a task's working memory; with none it only adds up how much is needed.
class Arena {
 public:
  explicit Arena(void* memory) : begin_(reinterpret_cast<uintptr_t>(memory)) {}

  template <class T>
  T* take(int64_t count) {
    const uintptr_t at = begin_ + static_cast<uintptr_t>(used_);
    used_ += round_up(count * static_cast<int64_t>(sizeof(T)), 64);
    return reinterpret_cast<T*>(at);
  }
  int64_t used() const { return used_; }

 private:
  uintptr_t begin_;
  int64_t used_ = 0;
};

}  // namespace
}  // namespace uvic
