// The names of LibTorch that all of uvic uses, and what a network's images are drawn from.
#pragma once

#include <cmath>

#include "core/aten.h"

namespace uvic {

using at::Tensor;

// What sums are taken in: float64 where the numbers are, else float32.
inline at::ScalarType wide_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}
inline Tensor to_wide(const Tensor& x) {
  return x.to(wide_type(x.scalar_type()));
}

// Whether no entry is infinite or not a number, without the copies of at::isfinite.
inline bool is_finite(const Tensor& x) {
  if (x.numel() == 0) return true;
  const auto [low, high] = at::aminmax(x);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

// What an image is drawn from. An undefined tensor means "none of this kind".
struct Condition {
  Tensor label;    // [B] int64 class ids; the null class (for guidance) is num_classes
  Tensor context;  // [B, N] int64 word ids (0 pads), or [B, N, D] float text states
};

inline Condition to(const Condition& condition, at::Device device) {
  Condition moved;
  if (condition.label.defined()) moved.label = condition.label.to(device);
  if (condition.context.defined()) moved.context = condition.context.to(device);
  return moved;
}

}  // namespace uvic
