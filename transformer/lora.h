// Low-rank adapters (LoRA, arXiv 2106.09685): a frozen matrix and a trained product of two thin ones.
#pragma once

#include "core/tensor.h"

namespace uvic {

// weight + alpha / rank * a b: weight [in, out] as x @ w takes it, a [in, rank], b [rank, out]; differentiable.
inline Tensor with_lora(const Tensor& weight, const Tensor& a, const Tensor& b, double alpha) {
  return weight + at::matmul(a, b) * (alpha / static_cast<double>(a.size(1)));
}

}  // namespace uvic
