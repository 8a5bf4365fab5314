// Activation checkpointing: keep a block's inputs only and run its forward pass again in the backward pass.
#pragma once

#include <functional>

#include "core/tensor.h"

namespace uvic {

using BlockFunction = std::function<Tensor(const Tensor& x, const Tensor& skip)>;

// block(x, skip) (skip may be undefined) with the same value and gradients, parameters used inside included. The
// autocast state of this call is restored for the second pass.
Tensor checkpointed(const BlockFunction& block, const Tensor& x, const Tensor& skip);

}  // namespace uvic
