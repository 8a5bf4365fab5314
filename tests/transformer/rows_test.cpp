#include "transformer/kernels/rows.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace uvic::rows_test {
namespace {

// 1 + 150 rows of an odd width: two pieces of work, and a vector that is not full.
constexpr int64_t kRows = 151, kDim = 21;

// Of bfloat16: half of the last of 8 bits, and as much for what is computed before the rounding.
constexpr double kRounding = 1.0 / 256;

Tensor from_minus_to(double bound, at::ScalarType dtype) {
  return at::linspace(-bound, bound, kRows * kDim, at::kFloat).view({kRows, kDim}).to(dtype);
}

void expect_close(const Tensor& got, const Tensor& exact, double relative, double absolute) {
  const Tensor over = (got.to(at::kDouble) - exact).abs() - exact.abs() * relative;
  EXPECT_LT(over.max().item<double>(), absolute);
}

TEST(Rows, GeluAndItsGradientInBothTypes) {
  const Tensor bias = at::linspace(-0.5, 0.5, kDim);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Tensor h = from_minus_to(12, dtype), ones = at::ones_like(h);
    const Tensor z = (h.to(at::kFloat) + bias).to(at::kDouble).requires_grad_();
    const Tensor exact = at::gelu(z);
    exact.sum().backward();
    const double relative = dtype == at::kFloat ? 1e-6 : kRounding, absolute = dtype == at::kFloat ? 1e-6 : 1e-5;
    expect_close(gelu_rows(h, bias), exact.detach(), relative, absolute);
    const Tensor d = ones.clone(), d_bias = gelu_rows_backward(h, bias, d);
    expect_close(d, z.grad(), relative, absolute);
    // The sums are taken before the rounding.
    expect_close(d_bias, z.grad().sum(0), 1e-4, 1e-4);
  }
}

TEST(Rows, TransposesAnyShape) {
  at::Generator generator = make_generator(1, Stream::kNoise);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const int64_t rows : {1, 15, 16, 129, 300})
      for (const int64_t dim : {1, 16, 21, 64}) {
        const Tensor x = at::randn({rows, dim}, generator, at::kFloat).to(dtype), transposed = transpose_rows(x);
        EXPECT_TRUE(at::equal(transposed, x.t())) << rows << " " << dim;
        EXPECT_TRUE(transposed.is_contiguous());
      }
}

}  // namespace
}  // namespace uvic::rows_test
