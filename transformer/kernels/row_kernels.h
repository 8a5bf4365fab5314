// The row-wise passes of a transformer block on CPU: each reads and writes its operands once.
//
// All matrices are row-major and contiguous, [rows, dim]. T is the type of activations between the passes and the
// matrix products: float, or the bits of a bfloat16. The residual stream, parameters, statistics and sums are float.
// Column sums are added to what is there, row after row, so a caller that cuts the rows the same way gets the same
// bits.
#pragma once

#include <cstdint>

namespace uvic {

struct Bf16 {
  uint16_t bits;
};

template <class T>
struct RowKernels {
  // out = x + branch + bias
  void (*add)(int64_t rows, int64_t dim, const float* x, const T* branch, const float* bias, float* out);

  // z = x + branch + bias (z = x and sum_out unused where branch is null), sum_out = z;
  // y = gamma (z - mean) / sqrt(variance + 1e-5) + beta; statistics [rows, 2] = mean, 1 / sqrt(variance + 1e-5)
  void (*norm)(int64_t rows, int64_t dim, const float* x, const T* branch, const float* bias, const float* gamma,
               const float* beta, float* sum_out, T* y, float* statistics);

  // Gradient of y = norm(x) with respect to x, plus `residual` if that is not null: dx, and the same as T in dx_cast if
  // that is not null. d_gamma, d_beta [dim], and dx_sum, the column sums of dx, if that is not null.
  void (*norm_backward)(int64_t rows, int64_t dim, const T* dy, const float* x, const float* statistics,
                        const float* gamma, const float* residual, float* dx, T* dx_cast, float* d_gamma, float* d_beta,
                        float* dx_sum);

  // out = gelu(h + bias), the exact one: z Phi(z)
  void (*gelu)(int64_t rows, int64_t dim, const T* h, const float* bias, T* out);

  // d_out -> its product with gelu'(h + bias), in place, and the column sums of that
  void (*gelu_backward)(int64_t rows, int64_t dim, const T* h, const float* bias, T* d_out, float* d_bias);

  // out = x as T, with rows `out_stride` apart, and column sums if `sum` is not null
  void (*cast)(int64_t rows, int64_t dim, const float* x, T* out, int64_t out_stride, float* sum);

  // out [dim, rows] = x^T, with rows `out_stride` apart
  void (*transpose)(int64_t rows, int64_t dim, const T* x, T* out, int64_t out_stride);
};

struct RowTable {
  RowKernels<float> f32;
  RowKernels<Bf16> bf16;
};

}  // namespace uvic
