#include "eval/metrics/numpy_random.h"

#include <bit>

namespace uvic {

// Fisher-Yates from the end. An index up to i is drawn by masking 32 bits and drawing again while it is too large.
Tensor NumpyRandom::permutation(int64_t n) {
  TORCH_CHECK(n >= 0 && n <= UINT32_MAX, "NumpyRandom: a permutation of ", n);
  const Tensor order = at::arange(n, at::kLong);
  int64_t* values = order.data_ptr<int64_t>();
  for (int64_t i = n - 1; i > 0; --i) {
    const uint32_t mask = std::bit_ceil(static_cast<uint64_t>(i) + 1) - 1;
    uint32_t j = 0;
    do {
      j = static_cast<uint32_t>(bits_()) & mask;
    } while (j > i);
    std::swap(values[i], values[j]);
  }
  return order;
}

}  // namespace uvic
