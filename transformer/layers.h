// The layers a block is made of: plain tensors with a call operator.
#pragma once

#include "core/tensor.h"

namespace uvic {

struct Linear {
  Tensor weight, bias;  // [out, in]; [out] or undefined
  Tensor operator()(const Tensor& x) const { return at::linear(x, weight, bias); }
};

struct LayerNorm {
  Tensor weight, bias;  // [dim]
  Tensor operator()(const Tensor& x) const { return at::layer_norm(x, weight.sizes(), weight, bias, 1e-5); }
};

}  // namespace uvic
