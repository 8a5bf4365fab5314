// Asking for memory ahead of its use.
#pragma once

#include "transformer/kernels/simd/matrix.h"

namespace uvic {
namespace {

// `count` elements.
template <int kWrite, class T>
void prefetch_row(const T* row, int64_t count) {
  for (int64_t i = 0; i < count; i += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(row + i, kWrite, 2);
}

// Rows of heads that will be read or written soon. They are pages apart, which the hardware does not foresee, and a
// core that asks for all of them at once waits as it does for loads. So products ask for the next few after each tile.
class Prefetcher {
 public:
  explicit Prefetcher(int64_t at_once) : at_once_(at_once) {}

  template <class T>
  void will_read(const Rows<T>& x) {
    add(x, false);
  }
  template <class T>
  void will_write(const Rows<T>& x) {
    add(x, true);
  }

  void next() {
    for (const int64_t end = smaller(row_ + at_once_, rows_); row_ < end; ++row_)
      for (int i = 0; i < count_; ++i) {
        const Range& range = ranges_[i];
        if (range.write)
          prefetch_row<1>(range.data + row_ * range.stride, range.bytes);
        else
          prefetch_row<0>(range.data + row_ * range.stride, range.bytes);
      }
  }

 private:
  struct Range {
    const char* data;
    int64_t stride, bytes;
    bool write;
  };

  template <class T>
  void add(const Rows<T>& x, bool write) {
    constexpr int64_t kSize = sizeof(T);
    ranges_[count_++] = {reinterpret_cast<const char*>(x.data), x.stride * kSize, x.columns * kSize, write};
    rows_ = x.count;
  }

  static constexpr int kMostRanges = 8;  // those of the backward pass
  Range ranges_[kMostRanges];
  int count_ = 0;
  int64_t at_once_, rows_ = 0, row_ = 0;
};

}  // namespace
}  // namespace uvic
