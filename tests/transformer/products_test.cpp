#include "transformer/kernels/products.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "transformer/kernels/isa.h"

namespace uvic::products_test {
namespace {

class Products : public testing::TestWithParam<const ProductKernels * KernelTable::*> {
 protected:
  void SetUp() override {
    kernels_ = kernel_isas().back().value.kernels->*GetParam();
    if (!kernels_) GTEST_SKIP() << "this machine has no such kernels for float32 products";
  }

  // Columns contiguous, or rows.
  Tensor draw(int64_t rows, int64_t columns, bool transposed = false) {
    return transposed ? at::randn({columns, rows}, generator_, at::kFloat).t()
                      : at::randn({rows, columns}, generator_, at::kFloat);
  }

  Tensor multiply(const Tensor& a, const Tensor& b, const Tensor& bias = {}) const {
    return product(a, b, bias, *kernels_);
  }

  // The largest error next to the sum of absolute products, which rounding errors are proportional to.
  static double error(const Tensor& c, const Tensor& a, const Tensor& b) {
    const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
    return ((c - at::mm(x, y)).abs() / at::mm(x.abs(), y.abs())).max().item<double>();
  }

  const ProductKernels* kernels_ = nullptr;
  at::Generator generator_ = make_generator(11, Stream::kNoise);
};

// With or without kernels of its own for them.
TEST(Product, OfAnyMachineIsThatOfLibTorch) {
  at::Generator generator = make_generator(12, Stream::kNoise);
  const Tensor a = at::randn({20, 30}, generator, at::kFloat), b = at::randn({30, 40}, generator, at::kFloat);
  const Tensor bias = at::randn({80}, generator, at::kFloat).slice(0, 0, 80, 2);
  EXPECT_TRUE(at::allclose(product(a, b), at::mm(a, b), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(product(a, b, bias), at::addmm(bias, a, b), 1e-5, 1e-5));
  const Tensor in_double = a.to(at::kDouble), in_bf16 = a.to(at::kBFloat16);
  EXPECT_TRUE(at::equal(product(in_double, b.to(at::kDouble)), at::mm(in_double, b.to(at::kDouble))));
  EXPECT_TRUE(at::equal(product(in_bf16, b.to(at::kBFloat16)), at::mm(in_bf16, b.to(at::kBFloat16))));
}

constexpr double kFloatEpsilon = 1.2e-7;

TEST_P(Products, AreExactToARoundingOfFloat32InEveryShapeAndLayout) {
  struct Shape {
    int64_t rows, columns, depth;
  };
  for (const Shape& s :
       {Shape{1, 1, 1}, {1, 40, 7}, {33, 1, 32}, {5, 31, 33}, {32, 32, 32}, {300, 65, 100}, {70, 33, 1100}})
    for (const bool a_transposed : {false, true})
      for (const bool b_transposed : {false, true}) {
        const Tensor a = draw(s.rows, s.depth, a_transposed), b = draw(s.depth, s.columns, b_transposed);
        EXPECT_LT(error(multiply(a, b), a, b), 3 * kFloatEpsilon)
            << s.rows << " x " << s.columns << " x " << s.depth << " " << a_transposed << b_transposed;
      }
}

TEST_P(Products, ErrAsLittleAsLibTorchsInFloat32) {
  for (const int64_t depth : {64, 512, 4112}) {
    const Tensor a = draw(128, depth), b = draw(depth, 96);
    EXPECT_LT(error(multiply(a, b), a, b), 1.2 * error(at::mm(a, b), a, b)) << depth;
  }
}

TEST_P(Products, KeepAll24BitsAtAnyMagnitude) {
  // A power of two on the right leaves nothing to round: the product must return every bit of the left.
  const Tensor a = draw(40, 40);
  for (const double scale : {1.0, 0x1p-60, 0x1p+60}) {
    const Tensor scaled = a * scale, identity = at::eye(40) / scale;
    EXPECT_TRUE(at::equal(multiply(scaled, identity), a)) << scale;
    EXPECT_TRUE(at::equal(multiply(identity, scaled), a)) << scale;
  }
}

TEST_P(Products, AddABiasAndTakeAnyStrides) {
  const Tensor a = draw(50, 90).slice(1, 3, 77), b = draw(74, 99).slice(1, 0, 96, 2), bias = draw(1, 48)[0];
  const Tensor c = multiply(a, b, bias);
  EXPECT_TRUE(c.is_contiguous());
  EXPECT_TRUE(at::allclose(c, at::addmm(bias, a, b), 1e-5, 1e-5));
}

TEST_P(Products, OfNothing) {
  const Tensor bias = draw(1, 4)[0];
  EXPECT_TRUE(at::equal(multiply(draw(3, 0), draw(0, 4), bias), bias.expand({3, 4})));
  EXPECT_TRUE(at::equal(multiply(draw(3, 0), draw(0, 4)), at::zeros({3, 4})));
  EXPECT_EQ(multiply(draw(0, 5), draw(5, 4)).sizes(), at::IntArrayRef({0, 4}));
  EXPECT_EQ(multiply(draw(3, 5), draw(5, 0)).sizes(), at::IntArrayRef({3, 0}));
  EXPECT_THROW(multiply(draw(3, 5), draw(4, 4)), c10::Error);
}

TEST_P(Products, ARowIsTheSameBitsAmongAnyRowsAndAtAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const Tensor a = draw(700, 600), b = draw(600, 130);
  at::set_num_threads(1);
  const Tensor c = multiply(a, b);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(multiply(a, b), c));
  at::set_num_threads(before);
  for (const int64_t row : {0, 299, 699}) EXPECT_TRUE(at::equal(multiply(a.narrow(0, row, 1), b)[0], c[row])) << row;
}

TEST_P(Products, LetNoNaNOrInfinityPassForANumber) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const Tensor a = draw(40, 40), b = draw(40, 40);
    a[17][3] = bad;
    const Tensor c = multiply(a, b);
    EXPECT_FALSE(at::isfinite(c[17]).any().item<bool>());
    EXPECT_TRUE(at::isfinite(c[16]).all().item<bool>());
  }
}

INSTANTIATE_TEST_SUITE_P(OnTiles, Products, testing::Values(&KernelTable::products));
INSTANTIATE_TEST_SUITE_P(OnVectors, Products, testing::Values(&KernelTable::float_products));

}  // namespace
}  // namespace uvic::products_test
