#include "core/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace uvic::random_test {
namespace {

std::vector<uint64_t> order(uint64_t n, uint64_t seed, uint64_t epoch) {
  std::vector<uint64_t> order;
  for (uint64_t i = 0; i < n; ++i) order.push_back(shuffled(i, n, seed, epoch));
  return order;
}

TEST(Shuffled, IsAPermutation) {
  for (const uint64_t n : {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 1000, 4096, 50000}) {
    std::vector<bool> seen(n);
    for (const uint64_t place : order(n, 1, 2)) {
      ASSERT_LT(place, n);
      EXPECT_FALSE(seen[place]) << place << " of " << n << " comes twice";
      seen[place] = true;
    }
  }
}

TEST(Shuffled, DependsOnSeedAndEpoch) {
  const auto base = order(1000, 1, 0);
  EXPECT_EQ(base, order(1000, 1, 0));
  EXPECT_NE(base, order(1000, 1, 1));
  EXPECT_NE(base, order(1000, 2, 0));
  // Two independent orders of 1000 items agree in one place on average.
  const auto other = order(1000, 1, 1);
  int equal = 0;
  for (size_t i = 0; i < base.size(); ++i) equal += base[i] == other[i];
  EXPECT_LT(equal, 10);
}

TEST(Shuffled, SpreadsEveryPart) {
  // The first tenth of the order holds about a tenth of each half: binomial, mean 500, deviation 16.
  int low = 0;
  for (uint64_t i = 0; i < 1000; ++i) low += shuffled(i, 10000, 3, 5) < 5000;
  EXPECT_NEAR(low, 500, 80);
}

TEST(Shuffled, FindsPlacesInHugeSets) {
  const uint64_t n = (uint64_t{1} << 40) + 12345;
  std::set<uint64_t> places;
  for (uint64_t i = n - 100; i < n; ++i) places.insert(shuffled(i, n, 0, 0));
  EXPECT_EQ(places.size(), 100u);
  EXPECT_LT(*places.rbegin(), n);
}

TEST(HashMix, TellsOrderCountAndValuesApart) {
  const std::set<uint64_t> hashes = {hash_mix({}),     hash_mix({0}),    hash_mix({0, 0}),   hash_mix({1}),
                                     hash_mix({1, 2}), hash_mix({2, 1}), hash_mix({1, 2, 0})};
  EXPECT_EQ(hashes.size(), 7u);
}

TEST(Generators, ArePureFunctionsOfTheirArguments) {
  const auto draw = [](at::Generator generator) { return at::randn({16}, generator); };
  const Tensor base = draw(make_generator(1, Stream::kNoise, 5));
  EXPECT_TRUE(at::equal(base, draw(make_generator(1, Stream::kNoise, 5))));
  EXPECT_FALSE(at::equal(base, draw(make_generator(2, Stream::kNoise, 5))));
  EXPECT_FALSE(at::equal(base, draw(make_generator(1, Stream::kDropout, 5))));
  EXPECT_FALSE(at::equal(base, draw(make_generator(1, Stream::kNoise, 6))));
}

TEST(Generators, ImageGeneratorIsPyTorchs) {
  // torch.randn(3, generator=torch.Generator().manual_seed(42)) in Python.
  const Tensor noise = at::randn({3}, image_generator(42));
  EXPECT_TRUE(at::allclose(noise, at::tensor({0.3367f, 0.1288f, 0.2345f}), 0, 5e-5));
}

}  // namespace
}  // namespace uvic::random_test
