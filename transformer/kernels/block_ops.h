// The parts of a transformer block as fused operations on CPU, differentiable, with few passes over memory and few
// tensors kept for backward. What each computes, composed of plain operations, stands in its comment and beside its
// call in `Block`.
//
// x and skip [B, L, dim] float32; parameters float32; a norm's epsilon is 1e-5. Products run in the dtype of the
// surrounding Autocast.
#pragma once

#include "transformer/layers.h"

namespace uvic {

// linear([x, skip]), float32
Tensor join_skip(const Tensor& x, const Tensor& skip, const Linear& linear);

// linear(norm(x)), in the dtype of the products
Tensor norm_linear(const Tensor& x, const LayerNorm& norm, const Linear& linear);

// z + fc2(gelu(fc1(norm(z)))) with z = x + proj(mixed), float32; mixed [B, L, dim] in the dtype of the products
Tensor project_and_mlp(const Tensor& x, const Tensor& mixed, const Linear& proj, const LayerNorm& norm,
                       const Linear& fc1, const Linear& fc2);

}  // namespace uvic
