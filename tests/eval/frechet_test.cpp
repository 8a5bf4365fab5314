#include "eval/frechet.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/temporary.h"

namespace uvic::frechet_test {
namespace {

Tensor randn(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::kDouble);
}

Gaussian fitted(const Tensor& features) {
  FeatureStats stats;
  stats.add(features);
  return stats.fit();
}

// A covariance with these eigenvalues in a random orientation.
Tensor covariance(const Tensor& eigenvalues, uint64_t seed) {
  const int64_t dims = eigenvalues.size(0);
  const Tensor rotation = std::get<0>(at::linalg_qr(randn({dims, dims}, seed)));
  const Tensor sigma = at::mm(rotation * eigenvalues, rotation.t());
  return (sigma + sigma.t()) / 2;
}

// The distance from the features themselves: tr (S1 S2)^(1/2) is the nuclear norm of A1 A2^T, A the centred features
// divided by (n - 1)^(1/2). No root of a rounded eigenvalue occurs, so it is exact for fewer samples than features too.
double from_features(const Tensor& a, const Tensor& b) {
  const auto centred = [](const Tensor& x) { return (x - x.mean(0)) / std::sqrt(double(x.size(0) - 1)); };
  const Tensor ca = centred(a), cb = centred(b);
  const Tensor cross = at::linalg_svdvals(at::mm(ca, cb.t())).sum();
  return ((a.mean(0) - b.mean(0)).square().sum() + ca.square().sum() + cb.square().sum() - 2 * cross).item<double>();
}

TEST(Frechet, OneDimension) {
  // (3 - 1)^2 + (2 - 5)^2, sigma being variances.
  const auto one = [](double mu, double variance) {
    return Gaussian{at::full({1}, mu, at::kDouble), at::full({1, 1}, variance, at::kDouble), 0};
  };
  EXPECT_NEAR(frechet_distance(one(3, 4), one(1, 25)), 13, 1e-12);
}

TEST(Frechet, DiagonalCovariances) {
  const Tensor s1 = at::tensor({1.0, 4.0, 9.0}, at::kDouble), s2 = at::tensor({4.0, 4.0, 1.0}, at::kDouble);
  const Gaussian a{at::zeros({3}, at::kDouble), at::diag(s1), 0}, b{at::ones({3}, at::kDouble), at::diag(s2), 0};
  EXPECT_NEAR(frechet_distance(a, b), 3 + 1 + 0 + 4, 1e-12);
}

TEST(Frechet, CommutingCovariancesInAnyOrientation) {
  const Tensor s1 = at::logspace(-3, 2, 12, 10, at::kDouble), s2 = s1.flip(0);
  const Gaussian a{at::zeros({12}, at::kDouble), covariance(s1, 5), 0};
  const Gaussian b{at::zeros({12}, at::kDouble), covariance(s2, 5), 0};
  const double want = (s1.sqrt() - s2.sqrt()).square().sum().item<double>();
  EXPECT_NEAR(frechet_distance(a, b), want, 1e-10 * want);
}

TEST(Frechet, EqualCovariancesLeaveTheGapOfTheMeans) {
  const Tensor sigma = covariance(at::logspace(-9, 1, 20, 10, at::kDouble), 6);
  const Tensor gap = at::linspace(-1, 2, 20, at::kDouble);
  const Gaussian a{at::zeros({20}, at::kDouble), sigma, 0}, b{gap, sigma, 0};
  EXPECT_NEAR(frechet_distance(a, b), gap.square().sum().item<double>(), 1e-8);
  EXPECT_NEAR(frechet_distance(a, a), 0, 1e-8);
  EXPECT_GE(frechet_distance(a, a), 0);
}

TEST(Frechet, IsSymmetric) {
  const Gaussian a = fitted(randn({50, 9}, 7)), b = fitted(randn({60, 9}, 8) * 2 + 1);
  EXPECT_NEAR(frechet_distance(a, b), frechet_distance(b, a), 1e-11);
}

// n in a file can be wrong, and then says nothing of the rank.
TEST(Frechet, AWrongNumberOfSamplesDoesNotMatter) {
  Gaussian a = fitted(randn({200, 32}, 7)), b = fitted(randn({20, 32}, 8) * 2 + 1);
  const double want = frechet_distance(a, b);
  for (const int64_t n : {2, 5, 32, 1000}) {
    a.n = n;
    EXPECT_NEAR(frechet_distance(a, b), want, 1e-9 * want) << n;
  }
}

TEST(Frechet, FewerSamplesThanFeatures) {
  for (const int64_t n : {2, 3, 10, 31}) {
    const Tensor x = randn({n, 32}, 9) * 50, y = randn({n + 3, 32}, 10) + 3;
    const double want = from_features(x, y);
    EXPECT_NEAR(frechet_distance(fitted(x), fitted(y)), want, 1e-9 * want) << n << " samples";
    EXPECT_NEAR(frechet_distance(fitted(x), fitted(x)), 0, 1e-6) << n << " samples";
  }
}

// Samples that repeat leave a lower rank than their number says.
TEST(Frechet, RepeatedSamples) {
  const Tensor x = randn({5, 32}, 16).repeat({4, 1}), y = randn({30, 32}, 17);
  const double want = from_features(x, y);
  EXPECT_NEAR(frechet_distance(fitted(x), fitted(y)), want, 1e-7 * want);
}

TEST(Frechet, FewSamplesTakeLessTimeThanOneEigenDecomposition) {
  using Clock = std::chrono::steady_clock;
  const Gaussian a = fitted(randn({16, 1280}, 18)), b = fitted(randn({24, 1280}, 19));
  const auto begin = Clock::now();
  frechet_distance(a, b);
  const auto middle = Clock::now();
  at::linalg_eigh(a.sigma);
  EXPECT_LT(middle - begin, Clock::now() - middle);
}

TEST(Frechet, RankDeficientMomentsFromAFile) {
  const Tensor x = randn({8, 64}, 11) * 1e3, y = randn({300, 64}, 12) * 1e3;
  Gaussian a = fitted(x), b = fitted(y);
  a.n = b.n = 0;
  const double scale = (a.sigma.trace() + b.sigma.trace()).item<double>();
  EXPECT_NEAR(frechet_distance(a, b), from_features(x, y), 1e-6 * scale);
}

// A matrix that is no covariance: its negative eigenvalue, of 3 and -1, counts as rounding.
TEST(Frechet, ANegativeEigenvalueIsLeftOut) {
  const Tensor mu = at::zeros({2}, at::kDouble), unit = at::eye(2, at::kDouble);
  const Gaussian a{mu, at::full({2, 2}, 2, at::kDouble) - unit, 0}, b{mu, unit, 0};
  EXPECT_NEAR(frechet_distance(a, b), 4 - 2 * std::sqrt(3.), 1e-12);
}

// More features than the factorisation takes at once, and correlated, so that pivots come from anywhere.
TEST(Frechet, ManyFeatures) {
  const Tensor x = at::mm(randn({400, 300}, 22), randn({300, 300}, 23)),
               y = at::mm(randn({90, 300}, 24), randn({300, 300}, 25));
  Gaussian a = fitted(x), b = fitted(y);
  const double want = from_features(x, y), scale = (a.sigma.trace() + b.sigma.trace()).item<double>();
  EXPECT_NEAR(frechet_distance(a, b), want, 1e-12 * scale);
  a.n = b.n = 0;
  EXPECT_NEAR(frechet_distance(a, b), want, 1e-7 * scale);
  for (const Gaussian& each : {a, b}) {
    const Tensor factor = covariance_factor(each);
    EXPECT_LT((at::mm(factor, factor.t()) - each.sigma).abs().max().item<double>(), 1e-13 * scale);
  }
}

TEST(Frechet, ConstantImages) {
  const Gaussian a = fitted(at::ones({5, 4})), b = fitted(at::zeros({5, 4}));
  EXPECT_NEAR(frechet_distance(a, b), 4, 1e-12);
}

// Singular values over twelve orders of magnitude, more than their squares can tell apart, in either shape.
TEST(Frechet, CrossTermIsASingularValueDecomposition) {
  const Tensor u = std::get<0>(at::linalg_qr(randn({30, 30}, 20))), v = std::get<0>(at::linalg_qr(randn({50, 30}, 21)));
  const Tensor s = at::logspace(-12, 0, 30, 10, at::kDouble);
  const Tensor m = at::mm(u * s, v.t());
  for (const bool turned : {false, true}) {
    const CrossTerm cross =
        turned ? cross_term(m, at::eye(30, at::kDouble)) : cross_term(m.t(), at::eye(50, at::kDouble));
    EXPECT_LT((std::get<0>(cross.s.sort()) - s).abs().max().item<double>(), 1e-9);  // rounding by the threshold of 1e-6
    const Tensor product = turned ? m.t() : m;
    EXPECT_LT((at::mm(cross.u * cross.s, cross.v.t()) - product).abs().max().item<double>(), 1e-6);
  }
}

TEST(Frechet, Errors) {
  const Gaussian a = fitted(randn({5, 4}, 13)), b = fitted(randn({5, 3}, 14));
  expect_mentions(error_of([&] { frechet_distance(a, b); }), {"4 features, the other 3"});
  Gaussian broken = fitted(randn({5, 4}, 15));
  broken.sigma[0][0] = std::nan("");
  EXPECT_THROW(frechet_distance(a, broken), Error);
}

}  // namespace
}  // namespace uvic::frechet_test
