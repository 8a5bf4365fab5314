#include <cmath>

#include "eval/frechet.h"
#include "eval/frechet_interval.h"
#include "eval/metrics/distances.h"
#include "eval/metrics/kinds.h"
#include "eval/metrics/numpy_random.h"
#include "tests/temporary.h"

namespace uvic::metrics_test {
namespace {

Tensor randn(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::kFloat);
}

FeatureSet set_of(const Tensor& features, const Keep& keep = {}) {
  FeatureCollector collector(keep);
  for (const Tensor& batch : features.split(100)) collector.add({batch, batch, batch});
  return collector.finish();
}

TEST(Metrics, EveryRowGivesNamedFiniteNumbers) {
  const Tensor x = randn({200, 4}, 1).abs(), y = randn({200, 4}, 2).abs() * 2;
  for (const auto& row : metrics()) {
    SCOPED_TRACE(row.name);
    const Metric& metric = row.value;
    ASSERT_LE(metric.fewest, 200);
    const std::vector<MetricValue> values = metric.compute(set_of(x, metric.of_a), set_of(y, metric.of_b), 1);
    const std::vector<MetricValue> again = metric.compute(set_of(x, metric.of_a), set_of(y, metric.of_b), 1);
    ASSERT_FALSE(values.empty());
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_FALSE(values[i].name.empty());
      EXPECT_TRUE(std::isfinite(values[i].value)) << values[i].name;
      EXPECT_GE(values[i].spread, 0) << values[i].name;
      EXPECT_EQ(values[i].value, again[i].value) << values[i].name;  // one seed, one number
    }
  }
}

// That they are numpy's is a case of uvic-parity.
TEST(NumpyRandom, DrawsPermutations) {
  NumpyRandom random(2020);
  const Tensor first = random.permutation(10);
  EXPECT_TRUE(std::get<0>(first.sort()).equal(at::arange(10)));
  EXPECT_FALSE(random.permutation(10).equal(first));
  EXPECT_TRUE(NumpyRandom(2020).permutation(10).equal(first));
  EXPECT_TRUE(random.permutation(1).equal(at::zeros({1}, at::kLong)));
}

TEST(Kid, OfTheSameDistributionIsZeroOnAverageUnlikeTheBiasedEstimate) {
  double sum = 0;
  constexpr int kDraws = 200;
  for (int i = 0; i < kDraws; ++i) sum += kernel_distance(randn({20, 4}, 100 + i), randn({20, 4}, 900 + i));
  EXPECT_NEAR(sum / kDraws, 0, 0.15);  // the biased estimate is 2 / 20 (E k(x, x) - E k(x, y)), about 0.8, more
}

TEST(Kid, OfTwoPointsEach) {
  // D = 1: k(x, y) = (x y + 1)^3. Within: k(0, 1) = 1 and k(2, 3) = 343; between: 1, 1, 27, 64.
  const Tensor x = at::tensor({0.0f, 1.0f}).view({2, 1}), y = at::tensor({2.0f, 3.0f}).view({2, 1});
  EXPECT_NEAR(kernel_distance(x, y), 1 + 343 - 2 * (1 + 1 + 27 + 64) / 4.0, 1e-12);
}

TEST(Kid, SubsetsAreDrawnBySeedAndNeverExceedTheSets) {
  const Tensor x = randn({30, 4}, 1), y = randn({40, 4}, 2) + 1;
  const Kid kid = kernel_inception_distance(x, y, 50, 10, 2020);
  EXPECT_EQ(kid.subsets, 50);
  EXPECT_EQ(kid.size, 10);
  EXPECT_GT(kid.value.std, 0);
  EXPECT_EQ(kernel_inception_distance(x, y, 50, 10, 2020).value.mean, kid.value.mean);
  EXPECT_NE(kernel_inception_distance(x, y, 50, 10, 2021).value.mean, kid.value.mean);
  EXPECT_EQ(kernel_inception_distance(x, y, 50, 1000, 2020).size, 30);
  const Kid whole = kernel_inception_distance(x, x + 1, 50, 1000, 2020);
  EXPECT_EQ(whole.subsets, 1);
  EXPECT_NEAR(whole.value.mean, kernel_distance(x, x + 1), 1e-9);
}

TEST(InceptionScore, OfKnownPredictions) {
  // Sure of another class each: the number of classes. All the same: 1.
  EXPECT_NEAR(inception_score(at::eye(7) * 1000, 1).mean, 7, 1e-6);
  EXPECT_NEAR(inception_score(at::ones({20, 7}), 4).mean, 1, 1e-12);
  EXPECT_NEAR(inception_score(at::ones({20, 7}), 4).std, 0, 1e-12);
  // Two parts, one of one class and one of two: 1 and 2.
  const Tensor mixed = (at::eye(2) * 1000).index_select(0, at::tensor({0, 0, 0, 1}, at::kLong));
  EXPECT_NEAR(inception_score(mixed, 2).mean, 1.5, 1e-9);
  EXPECT_NEAR(inception_score(mixed, 2).std, 0.5, 1e-9);
  expect_mentions(error_of([&] { inception_score(mixed, 10); }), {"10", "4"});
}

TEST(Distances, EqualTheDefinitionInAnyBlocks) {
  const Tensor x = randn({1100, 3}, 3) + 1000, y = randn({4200, 3}, 4) + 1000;  // two blocks each way, far from 0
  const Tensor got = at::empty({1100, 4200}, at::kDouble);
  for_each_distance_block(x, y, [&](const DistanceBlock& block) {
    got.narrow(0, block.i, block.d.size(0)).narrow(1, block.j, block.d.size(1)).copy_(block.d);
    EXPECT_LT(block.error, 1e-9);
  });
  const Tensor want = (x.to(at::kDouble).unsqueeze(1) - y.to(at::kDouble).unsqueeze(0)).square().sum(2);
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-10);
  const Tensor nearest = neighbour_distances(y, {1, 4});
  const Tensor own = (y.narrow(0, 0, 50).to(at::kDouble).unsqueeze(1) - y.to(at::kDouble).unsqueeze(0)).square().sum(2);
  const Tensor sorted = std::get<0>(own.sort(1));
  EXPECT_TRUE(nearest[0].narrow(0, 0, 50).equal(sorted.select(1, 1)));
  EXPECT_TRUE(nearest[1].narrow(0, 0, 50).equal(sorted.select(1, 4)));
  expect_mentions(error_of([&] { neighbour_distances(y.narrow(0, 0, 3), {3}); }), {"3"});
}

// The definitions, pair by pair.
struct PrdcValues {
  double precision, recall, density, coverage;
};
PrdcValues prdc_by_definition(const Tensor& generated, const Tensor& real, int64_t k) {
  const auto distances = [](const Tensor& a, const Tensor& b) {
    constexpr int64_t kNoMatrixProduct = 2;
    return at::cdist(a.to(at::kDouble), b.to(at::kDouble), 2, kNoMatrixProduct);
  };
  const auto reach = [&](const Tensor& x) { return std::get<0>(distances(x, x).kthvalue(k + 1, 1)); };
  const Tensor d = distances(generated, real), of_real = reach(real), of_generated = reach(generated).unsqueeze(1);
  const auto share = [](const Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); };
  return {share((d <= of_real).any(1)), share((d <= of_generated).any(0)),
          (d < of_real).sum().item<double>() / static_cast<double>(k * generated.size(0)), share((d < of_real).any(0))};
}

TEST(Prdc, EqualsTheDefinition) {
  const Tensor generated = randn({1100, 5}, 5) * 1.3 + 0.5, real = randn({4200, 5}, 6);
  const Prdc got = prdc(generated, real, 4, 4);
  const PrdcValues want = prdc_by_definition(generated, real, 4);
  EXPECT_EQ(got.precision.value, want.precision);
  EXPECT_EQ(got.recall.value, want.recall);
  EXPECT_EQ(got.density.value, want.density);
  EXPECT_EQ(got.coverage.value, want.coverage);
  EXPECT_LT(got.precision.value, 1);
  EXPECT_LT(got.coverage.value, 1);
}

TEST(Prdc, OfASetWithItselfIsOneThoughEveryRadiusIsADistance) {
  const Tensor x = randn({300, 64}, 7) * 100;
  const Prdc got = prdc(x, x, 3, 5);
  EXPECT_EQ(got.precision.value, 1);
  EXPECT_EQ(got.recall.value, 1);
  EXPECT_EQ(got.density.value, 1);  // itself and four neighbours lie inside, the fifth on the boundary
  EXPECT_EQ(got.coverage.value, 1);
  EXPECT_GT(got.precision.interval, 0);  // 300 of 300 leave room for some that are not
  const Prdc far = prdc(x, x + 1e4, 3, 5);
  EXPECT_EQ(far.precision.value + far.recall.value + far.density.value + far.coverage.value, 0);
}

TEST(Prdc, IntervalsCoverTheMeanOfManyDraws) {
  // Of generated images with the real ones given, and the reverse.
  constexpr int kDraws = 200;
  const Tensor given = randn({150, 2}, 11), draws = randn({kDraws, 250, 2}, 12) * 1.5;
  std::vector<Prdc::Mean> precision, density, recall, coverage;
  for (const Tensor& draw : draws.unbind()) {
    const Prdc as_generated = prdc(draw, given, 3, 3), as_real = prdc(given, draw, 3, 3);
    precision.push_back(as_generated.precision);
    density.push_back(as_generated.density);
    recall.push_back(as_real.recall);
    coverage.push_back(as_real.coverage);
  }
  for (const auto& means : {precision, density, recall, coverage}) {
    double truth = 0;
    for (const Prdc::Mean& mean : means) truth += mean.value / kDraws;
    const auto covered = std::ranges::count_if(
        means, [&](const Prdc::Mean& mean) { return std::abs(mean.value - truth) <= mean.interval; });
    EXPECT_GE(covered, 0.9 * kDraws);
    EXPECT_LE(covered, 0.99 * kDraws);
  }
}

TEST(FidInfinity, TakesTheBiasOfTheNumberAway) {
  const Tensor x = randn({3000, 20}, 8), y = randn({200000, 20}, 9);
  const FeatureSet a = set_of(x), b = set_of(y);
  const double biased = frechet_distance(a.moments, b.moments), corrected = fid_infinity(x, b.moments, 2020);
  EXPECT_GT(biased, 0.04);
  EXPECT_LT(std::abs(corrected), biased / 4);
  expect_mentions(error_of([&] { fid_infinity(x.narrow(0, 0, 10), b.moments, 1); }), {"15", "10"});
}

TEST(FeatureCollector, KeepsWhatIsAskedFor) {
  const Tensor x = randn({250, 6}, 10);
  const FeatureSet bare = set_of(x), all = set_of(x, {.features = true, .logits = true, .spatial = true});
  EXPECT_FALSE(bare.activations.features.defined());
  EXPECT_FALSE(bare.spatial.mu.defined());
  EXPECT_TRUE(bare.sample.equal(x));
  EXPECT_TRUE(all.activations.features.equal(x));
  EXPECT_TRUE(all.activations.logits.equal(x));
  EXPECT_TRUE(all.spatial.mu.equal(all.moments.mu));
  // Beyond its size the sample is drawn evenly: its mean is that of all, its rows are those of the set, each once.
  const Tensor many = at::arange(20000).to(at::kFloat).unsqueeze(1);
  const Tensor drawn = std::get<0>(set_of(many).sample.flatten().sort());
  EXPECT_EQ(drawn.size(0), kSampleRows);
  EXPECT_GT((drawn.slice(0, 1) - drawn.slice(0, 0, -1)).min().item<float>(), 0);
  EXPECT_NEAR(drawn.mean().item<double>(), 10000, 200);
}

// The derivative with respect to the weight of one sample, by weighting it a little more.
TEST(FrechetInfluence, IsTheDerivativeInTheWeightOfASample) {
  const Tensor x = randn({40, 6}, 11), y = randn({50, 6}, 12) * 0.7 + 0.3;
  const FeatureSet a = set_of(x), b = set_of(y);
  const Tensor factor = covariance_factor(a.moments);
  const CrossTerm cross = cross_term(factor, covariance_factor(b.moments));
  const Tensor influence = frechet_influence(a.moments, factor, x, b.moments.mu, cross.u, cross.s);
  EXPECT_NEAR(influence.mean().item<double>(), 0, 0.05 * influence.std().item<double>());
  const auto at_weight = [&](int64_t row, double extra) {
    Tensor w = at::full({40}, (1 - extra) / 40, at::kDouble);
    w[row] += extra;
    const Tensor mu = at::mv(x.t().to(at::kDouble), w), centred = x.to(at::kDouble) - mu;
    return frechet_distance({mu, at::mm(centred.t() * w, centred) * 40 / 39, 0}, {b.moments.mu, b.moments.sigma, 0});
  };
  for (const int64_t row : {0, 7, 39}) {
    const double slope = (at_weight(row, 1e-5) - at_weight(row, -1e-5)) / 2e-5;
    EXPECT_NEAR(influence[row].item<double>(), slope, 0.05 * influence.std().item<double>());
  }
}

struct Draws {
  double mean_value, std_value, mean_half, covered;
};

// 200 draws of `n` images each from Gaussians whose distance is known.
Draws simulate(int64_t n, int64_t dims, double shift) {
  const Tensor spread = at::linspace(0.5, 1.5, dims);
  const double truth = dims * shift * shift + (spread - 1).square().sum().item<double>();
  Draws draws{};
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) {
    const FeatureSet a = set_of(randn({n, dims}, 1000 + i) * spread + shift), b = set_of(randn({n, dims}, 5000 + i));
    const auto fid = fid_metric(a, b, 0).front();
    values.push_back(fid.value);
    draws.mean_half += fid.spread / 200;
    draws.covered += (std::abs(fid.value - truth) <= fid.spread) / 200.0;
  }
  draws.mean_value = mean_std(values).mean;
  draws.std_value = mean_std(values).std;
  return draws;
}

TEST(FrechetInterval, CoversTheTruth) {
  const Draws draws = simulate(1000, 4, 0.5);
  EXPECT_GE(draws.covered, 0.90);
  EXPECT_LE(draws.covered, 0.99);
}

// Twice as many images as features, then half as many: the value is biased, and the interval still says how much it
// varies.
TEST(FrechetInterval, IsTheSpreadOfTheValueOverDraws) {
  for (const int64_t n : {64, 16}) {
    const Draws draws = simulate(n, 32, 0.3);
    EXPECT_NEAR(draws.mean_half / (1.96 * draws.std_value), 1, 0.35) << n;
  }
}

TEST(FrechetInterval, StatisticsCountAsExact) {
  const FeatureSet a = set_of(randn({200, 4}, 13)), b = set_of(randn({200, 4}, 14) + 1);
  FeatureSet exact = b;
  exact.sample = Tensor();
  const double both = fid_metric(a, b, 0)[0].spread, one = fid_metric(a, exact, 0)[0].spread;
  EXPECT_GT(one, 0);
  EXPECT_LT(one, both);
  FeatureSet neither = a;
  neither.sample = Tensor();
  EXPECT_EQ(fid_metric(neither, exact, 0)[0].spread_of, "");
}

}  // namespace
}  // namespace uvic::metrics_test
