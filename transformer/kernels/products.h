// The matrix products of a transformer block on CPU.
#pragma once

#include "core/tensor.h"
#include "transformer/kernels/product_kernels.h"

namespace uvic {

// a b (+ bias), contiguous; a [M, K], b [K, N], bias [N] or undefined. float32 takes kernels of our own where
// the machine has what they need and there are rows enough, and LibTorch's product otherwise.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias = {});

// The same by `kernels`, float32 only. A row of the result is the same bits at any M and number of threads.
Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias, const ProductKernels& kernels);

}  // namespace uvic
