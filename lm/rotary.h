// Rotary position embedding (arXiv 2104.09864): pairs of components (2i, 2i + 1) of a query or key turn by
// position * 10000^(-2i / head_dim), so that scores know the differences of positions, and only these.
#pragma once

#include "core/tensor.h"

namespace uvic {

struct Rotation {
  Tensor cos, sin;  // [L, head_dim / 2]
  Rotation narrow(int64_t first, int64_t length) const {
    return {cos.narrow(0, first, length), sin.narrow(0, first, length)};
  }
};

// Of the positions first, first + 1, ..., on that device, in float64 or else float32; angles are computed in float64,
// so that they are right at any position. head_dim is even.
Rotation rotation(int64_t first, int64_t length, int64_t head_dim, const at::TensorOptions& options);

// x [B, L, H, D], token i at the i-th position -> the same type, computed in that of the rotation; differentiable.
Tensor rotate(const Tensor& x, const Rotation& by);

}  // namespace uvic
