// The random permutations of numpy.random.RandomState, so that subsets are those that torch-fidelity draws.
#pragma once

#include <random>

#include "core/tensor.h"

namespace uvic {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : bits_(seed) {}

  // permutation(n): [n] int64. choice(n, k, replace=False) is its first k numbers.
  Tensor permutation(int64_t n);

 private:
  std::mt19937 bits_;
};

}  // namespace uvic
