#include "eval/singular_values.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace uvic::singular_values_test {
namespace {

Tensor randn(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::kDouble);
}

// A matrix [rows, columns] of these singular values in a random orientation.
Tensor matrix_of(const Tensor& values, int64_t rows, int64_t columns) {
  const int64_t k = values.size(0);
  const Tensor u = std::get<0>(at::linalg_qr(randn({rows, k}, 1))),
               v = std::get<0>(at::linalg_qr(randn({columns, k}, 2)));
  return at::mm(u * values, v.t());
}

void expect_values(const Tensor& m, const Tensor& want, const std::string& what) {
  const Tensor got = singular_values(m);
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  EXPECT_LE((got - want).abs().max().item<double>(), 1e-14 * want[0].item<double>()) << what;
  EXPECT_TRUE((got.diff() <= 0).all().item<bool>()) << what;
}

TEST(SingularValues, AreThoseOfLapackInAnyShape) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                                              {1, 7},
                                                                              {7, 1},
                                                                              {2, 2},
                                                                              {31, 31},
                                                                              {32, 32},
                                                                              {33, 33},
                                                                              {64, 64},
                                                                              {65, 65},
                                                                              {97, 130},
                                                                              {300, 40},
                                                                              {40, 300},
                                                                              {200, 200}}) {
    const Tensor m = randn({rows, columns}, 3);
    expect_values(m, at::linalg_svdvals(m), fmt::format("{} x {}", rows, columns));
    expect_values(m.t(), at::linalg_svdvals(m), fmt::format("{} x {} transposed", rows, columns));
  }
}

// Over more orders of magnitude than squares could tell apart, and of any size of the largest.
TEST(SingularValues, AreThoseThatWerePutIn) {
  const Tensor graded = at::logspace(0, -16, 100, 10, at::kDouble);
  expect_values(matrix_of(graded, 120, 100), graded, "graded");
  for (const double scale : {1e-300, 1e-160, 1e-20, 1e20, 1e160, 1e300})
    expect_values(matrix_of(graded, 100, 100) * scale, graded * scale, fmt::format("graded, times {}", scale));
  const Tensor deficient = at::cat({at::linspace(2, 1, 10, at::kDouble), at::zeros({80}, at::kDouble)});
  expect_values(matrix_of(deficient, 90, 110), deficient, "of rank 10");
  const Tensor alike = at::full({70}, 3, at::kDouble);
  expect_values(matrix_of(alike, 70, 100), alike, "all alike");
  const Tensor clusters = at::cat({alike, alike / 2, alike * 1e-10});
  expect_values(matrix_of(clusters, 210, 210), clusters, "clusters");
}

TEST(SingularValues, OfMatricesWithMuchThatIsZero) {
  expect_values(at::eye(100, at::kDouble), at::ones({100}, at::kDouble), "the identity");
  const Tensor diagonal = at::linspace(100, 1, 100, at::kDouble);
  expect_values(at::diag(diagonal), diagonal, "diagonal");
  expect_values(at::diag(diagonal).flip(0).roll(1, 0), diagonal, "a permutation");
  expect_values(at::ones({80, 50}, at::kDouble),
                at::cat({at::full({1}, std::sqrt(4000.), at::kDouble), at::zeros({49}, at::kDouble)}), "ones");
  Tensor sparse = at::zeros({100, 100}, at::kDouble);
  sparse.narrow(0, 40, 30).narrow(1, 60, 40).copy_(randn({30, 40}, 4));
  expect_values(sparse, at::linalg_svdvals(sparse), "one block");
  EXPECT_TRUE(singular_values(at::zeros({50, 40}, at::kDouble)).equal(at::zeros({40}, at::kDouble)));
  EXPECT_EQ(singular_values(at::zeros({0, 5}, at::kDouble)).numel(), 0);
  EXPECT_EQ(singular_values(at::zeros({5, 0}, at::kDouble)).numel(), 0);
}

TEST(SingularValues, LeaveTheMatrixAsItIs) {
  const Tensor m = randn({40, 40}, 6), copy = m.clone();
  singular_values(m);
  EXPECT_TRUE(m.equal(copy));
}

TEST(SingularValues, AgreeForAnyNumberOfThreads) {
  const Tensor m = randn({150, 150}, 7);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor one = singular_values(m);
  at::set_num_threads(4);
  const Tensor four = singular_values(m);
  at::set_num_threads(threads);
  EXPECT_LE((one - four).abs().max().item<double>(), 1e-14 * one[0].item<double>());
}

}  // namespace
}  // namespace uvic::singular_values_test
