// Random weights that a network's signals survive: matrices of variance 1 / fan-in, norms near 1, small biases.
#pragma once

#include <string>

#include "core/parameters.h"
#include "core/random.h"

namespace uvic {

// For parameters of these names and shapes, which need no storage.
inline TensorMap random_weights(const Parameters& shapes, uint64_t seed, at::ScalarType dtype = at::kFloat) {
  at::Generator generator = image_generator(seed);
  TensorMap weights;
  for (const auto& [name, shape, role] : shapes) {
    Tensor values = at::randn(shape.sizes(), generator, at::kFloat);
    if (shape.dim() >= 2)
      values /= std::sqrt(static_cast<double>(shape.numel() / shape.size(0)));
    else
      values = 0.1 * values + (name.ends_with(".weight") ? 1 : 0);
    weights[name] = values.to(dtype);
  }
  return weights;
}

}  // namespace uvic
