// The row-wise passes of a transformer block as tensor functions: they allocate, share rows out to threads and pick the
// instruction set.
//
// All are contiguous [rows, dim]; the residual stream, parameters and sums are float32, activations float32 or
// bfloat16. Sums over rows are the same bits at any number of threads.
#pragma once

#include "core/tensor.h"

namespace uvic {

Tensor add_rows(const Tensor& x, const Tensor& branch, const Tensor& bias);  // x + (branch + bias)

struct Normalized {
  Tensor z;           // x + branch + bias, or x itself
  Tensor y;           // layer norm of z (epsilon 1e-5), in the dtype of activations
  Tensor statistics;  // [rows, 2]: mean and 1 / standard deviation of z
};
Normalized norm_rows(const Tensor& x, const Tensor& gamma, const Tensor& beta, at::ScalarType dtype);
Normalized add_norm_rows(const Tensor& x, const Tensor& branch, const Tensor& bias, const Tensor& gamma,
                         const Tensor& beta);

struct NormGradient {
  Tensor dz, d_gamma, d_beta;
  Tensor dz_cast, dz_sum;  // with a residual only: dz in the dtype of dy; its column sums [dim]
};
// `residual` is float32 and added to dz, or undefined.
NormGradient norm_rows_backward(const Tensor& dy, const Normalized& forward, const Tensor& gamma,
                                const Tensor& residual);

Tensor gelu_rows(const Tensor& h, const Tensor& bias);  // gelu(h + bias)
// Turns d, the gradient of the result, into that of h, in place; returns the gradient of bias.
Tensor gelu_rows_backward(const Tensor& h, const Tensor& bias, const Tensor& d);

struct Cast {
  Tensor value, sum;  // x in another dtype; its column sums [dim]
};
Cast cast_rows(const Tensor& x, at::ScalarType dtype);

Tensor transpose_rows(const Tensor& x);  // contiguous x^T

Tensor join_rows(const Tensor& x, const Tensor& skip, at::ScalarType dtype);  // [x, skip] in another dtype

}  // namespace uvic
