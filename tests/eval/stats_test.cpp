#include "eval/stats.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/formats/npz.h"
#include "tests/temporary.h"

namespace uvic::stats_test {
namespace {

Tensor gaussian_features(int64_t n, int64_t dims, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn({n, dims}, generator, at::kDouble);
}

void expect_near(const Tensor& got, const Tensor& want, double tolerance) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LE((got - want).abs().max().item<double>(), tolerance);
}

class StatsFile : public testing::Test {
 protected:
  fs::path path() const { return folder_ / "stats.npz"; }

  const TemporaryFolder folder_;
};

TEST(FeatureStats, KnownAnswer) {
  FeatureStats stats;
  stats.add(at::tensor({1.0, 2.0, 3.0, 6.0}).view({2, 2}));
  stats.add(at::tensor({5.0, 1.0}).view({1, 2}));
  const Gaussian fit = stats.fit();
  EXPECT_EQ(fit.n, 3);
  EXPECT_EQ(fit.mu.scalar_type(), at::kDouble);
  expect_near(fit.mu, at::tensor({3.0, 3.0}, at::kDouble), 1e-15);
  // Deviations (-2,-1), (0,3), (2,-2), divided by n - 1 = 2.
  expect_near(fit.sigma, at::tensor({4.0, -1.0, -1.0, 7.0}, at::kDouble).view({2, 2}), 1e-14);
}

TEST(FeatureStats, SameWhateverTheBatches) {
  const Tensor x = gaussian_features(101, 7, 1) + 100;  // a large mean would show cancellation
  FeatureStats whole, single, uneven;
  whole.add(x);
  for (int64_t i = 0; i < 101; ++i) single.add(x.narrow(0, i, 1));
  for (int64_t begin = 0, length = 1; begin < 101; begin += length, ++length)
    uneven.add(x.narrow(0, begin, std::min(length, 101 - begin)));
  const Gaussian want = whole.fit();
  for (const FeatureStats* stats : {&single, &uneven}) {
    const Gaussian got = stats->fit();
    EXPECT_EQ(got.n, 101);
    expect_near(got.mu, want.mu, 1e-12);
    expect_near(got.sigma, want.sigma, 1e-12);
  }
}

TEST(FeatureStats, AgreesWithTheDefinitionOnFloat32) {
  const Tensor x = gaussian_features(64, 5, 2).to(at::kFloat);
  FeatureStats stats;
  for (const Tensor& part : x.split(10)) stats.add(part);
  const Tensor wide = x.to(at::kDouble);
  expect_near(stats.fit().mu, wide.mean(0), 1e-14);
  expect_near(stats.fit().sigma, at::cov(wide.t()), 1e-13);
}

TEST(FeatureStats, MergeIsAddingTheOthers) {
  const Tensor x = gaussian_features(40, 6, 3);
  FeatureStats left, right, empty, all;
  left.add(x.narrow(0, 0, 13));
  right.add(x.narrow(0, 13, 27));
  all.add(x);
  left.merge(right);
  left.merge(empty);
  empty.merge(left);
  EXPECT_EQ(left.count(), 40);
  expect_near(left.fit().sigma, all.fit().sigma, 1e-13);
  expect_near(empty.fit().sigma, all.fit().sigma, 1e-13);
  // What was merged from is a copy, not shared.
  left.add(x);
  EXPECT_EQ(empty.count(), 40);
  expect_near(empty.fit().mu, all.fit().mu, 1e-13);
}

TEST(FeatureStats, ThreadsChangeNoBit) {
  const Tensor x = gaussian_features(120, 1030, 5).to(at::kFloat);
  const auto fit = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    FeatureStats stats;
    for (const Tensor& part : x.split(8)) stats.add(part);
    at::set_num_threads(before);
    return stats.fit();
  };
  const Gaussian want = fit(1);
  for (const int threads : {2, 3, 5, 7}) {
    const Gaussian got = fit(threads);
    EXPECT_TRUE(got.mu.equal(want.mu)) << threads;
    EXPECT_TRUE(got.sigma.equal(want.sigma)) << threads;
  }
}

TEST(FeatureStats, TwoSamplesSufficeOneDoesNot) {
  FeatureStats stats;
  EXPECT_THROW(stats.fit(), Error);
  stats.add(at::ones({1, 3}));
  expect_mentions(error_of([&] { stats.fit(); }), {"at least 2"});
  stats.add(at::zeros({1, 3}));
  expect_near(stats.fit().sigma, at::full({3, 3}, 0.5, at::kDouble), 1e-15);
}

TEST_F(StatsFile, RoundTripKeepsNumbersAndNotes) {
  FeatureStats stats;
  stats.add(gaussian_features(9, 4, 4));
  const Gaussian want = stats.fit();
  write_gaussian(path(), want, {{"features", "efficientnet-lite0"}, {"weights", "57934424"}});
  std::map<std::string, std::string> notes = {{"old", "gone"}};
  const Gaussian got = read_gaussian(path(), &notes);
  EXPECT_TRUE(got.mu.equal(want.mu));
  EXPECT_TRUE(got.sigma.equal(want.sigma));
  EXPECT_EQ(got.n, 9);
  EXPECT_EQ(notes, (std::map<std::string, std::string>{{"features", "efficientnet-lite0"}, {"weights", "57934424"}}));
}

TEST_F(StatsFile, ReadsStatisticsOfOthers) {
  const Tensor sigma = at::tensor({2.0f, 0.5f, 0.5f, 1.0f}).view({2, 2});
  write_npz(path(), {{"mu", at::tensor({1.0f, 2.0f})}, {"sigma", sigma}});
  std::map<std::string, std::string> notes;
  const Gaussian got = read_gaussian(path(), &notes);
  EXPECT_EQ(got.n, 0);
  EXPECT_TRUE(notes.empty());
  expect_near(got.sigma, sigma.to(at::kDouble), 0);
}

TEST_F(StatsFile, ErrorsNameTheFileAndTheFault) {
  const auto options = at::TensorOptions(at::kDouble);
  const Tensor mu = at::zeros({2}, options), sigma = at::eye(2, options);
  const Tensor skewed = sigma + at::tensor({0.0, 0.1, 0.0, 0.0}, at::kDouble).view({2, 2});
  const struct {
    TensorMap arrays;
    const char* says;
  } kCases[] = {
      {{{"sigma", sigma}}, "no array 'mu' (it has: sigma)"},
      {{{"mu", mu}}, "no array 'sigma'"},
      {{{"mu", at::zeros({2, 2}, options)}, {"sigma", sigma}}, "'mu' has 2 dimensions, expected 1"},
      {{{"mu", mu}, {"sigma", at::eye(3, options)}}, "sigma is [3, 3], expected [2, 2]"},
      {{{"mu", mu}, {"sigma", at::zeros({2, 3}, options)}}, "sigma is [2, 3]"},
      {{{"mu", mu + std::nan("")}, {"sigma", sigma}}, "'mu' holds a non-finite number"},
      {{{"mu", mu}, {"sigma", sigma / 0}}, "'sigma' holds a non-finite number"},
      {{{"mu", mu}, {"sigma", skewed}}, "not symmetric"},
      {{{"mu", mu}, {"sigma", -sigma}}, "negative variance"},
      {{{"mu", mu.to(at::kLong)}, {"sigma", sigma}}, "expected floating-point"},
  };
  for (const auto& [arrays, says] : kCases) {
    write_npz(path(), arrays);
    expect_mentions(error_of([&] { read_gaussian(path()); }), {says, "stats.npz"});
  }
}

TEST_F(StatsFile, TheNumberOfImagesIsOne) {
  const auto with = [&](const Tensor& n) {
    write_npz(path(), {{"mu", at::zeros({2}, at::kDouble)}, {"sigma", at::eye(2, at::kDouble)}, {"n", n}});
    return read_gaussian(path()).n;
  };
  EXPECT_EQ(with(at::scalar_tensor(50000.0, at::kDouble)), 50000);
  for (const double n : {-5.0, 0.0, 1.0, 2.5, std::nan("")})
    expect_mentions(error_of([&] { with(at::scalar_tensor(n, at::kDouble)); }), {path().string(), "n is"});
}

}  // namespace
}  // namespace uvic::stats_test
