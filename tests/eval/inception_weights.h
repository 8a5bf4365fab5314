// Weights for the Inception network that follow from a formula, so that known answers need no file of 95 MB.
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>

#include "core/tensor.h"

namespace uvic {

// A number in [0, 1) from the position of a tensor among the sorted names and of an element in it (splitmix64).
inline double formula_uniform(uint64_t base, uint64_t tensor, uint64_t element) {
  uint64_t z = base + (tensor << 32) + (element + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

// The tensor `name`, `index`-th of the sorted names: offset + scale u, or offset + scale (2 u - 1).
inline Tensor formula_tensor(const std::string& name, uint64_t index, at::IntArrayRef shape, uint64_t base) {
  double offset = 0, scale = 0;
  bool symmetric = true;
  if (name.ends_with(".conv.weight")) {
    scale = std::sqrt(6.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
  } else if (name == "fc.weight") {
    scale = std::sqrt(3.0 / static_cast<double>(shape[1]));
  } else if (name == "fc.bias" || name.ends_with(".bn.bias")) {
    scale = 0.1;
  } else if (name.ends_with(".bn.weight")) {
    offset = 1, scale = 0.1;
  } else if (name.ends_with(".running_mean")) {
    scale = 0.05;
  } else if (name.ends_with(".running_var")) {
    offset = 1, scale = 0.1, symmetric = false;
  } else {
    throw std::runtime_error("the fill formula does not say how to fill " + name);
  }
  const Tensor tensor = at::empty(shape);
  float* values = tensor.data_ptr<float>();
  for (int64_t j = 0; j < tensor.numel(); ++j) {
    const double u = formula_uniform(base, index, static_cast<uint64_t>(j));
    values[j] = static_cast<float>(offset + scale * (symmetric ? 2 * u - 1 : u));
  }
  return tensor;
}

}  // namespace uvic
