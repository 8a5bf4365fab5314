#include "app/training/latent_source.h"

#include <gtest/gtest.h>

#include <map>

#include "core/random.h"
#include "encoders/autoencoder_kl.h"

namespace uvic::latent_source_test {
namespace {

constexpr int64_t kImages = 6;

// Image i has mean i and log-variance log(0.01); caption k of it the context 10 i + k; the last image has no caption.
class Numbered final : public LatentDataset {
 public:
  int64_t size() const override { return kImages; }
  int64_t image_size() const override { return 4; }
  int64_t channels() const override { return 2; }
  Tensor moments(int64_t index) const override {
    return at::cat({at::full({2, 4, 4}, index, at::kFloat), at::full({2, 4, 4}, std::log(0.01), at::kFloat)});
  }
  int64_t caption_count(int64_t index) const override { return index + 1 == kImages ? 0 : 2; }
  Tensor context(int64_t index, int64_t caption) const override {
    return at::full({3, 5}, 10 * index + caption, at::kFloat);
  }
  Tensor null_context() const override { return at::full({3, 5}, -1, at::kFloat); }
  std::string description() const override { return "numbered test latents"; }
};

// Batches of four items.
std::function<Batch(int64_t step)> stream(double drop = 0, uint64_t seed = 3) {
  return [at = make_latent_stream(std::make_shared<Numbered>(),
                                  {.seed = seed, .drop_condition = drop, .context_tokens = 3}, 0.5)](int64_t step) {
    return at({4 * step, 4});
  };
}

double value(const Tensor& context) {
  return context.max().item<double>();
}

TEST(LatentStream, DrawsLatentsFromTheirMoments) {
  const auto at = stream();
  Tensor deviations = at::zeros({0});
  for (int64_t step = 0; step < 60; ++step) {
    const Batch batch = at(step);
    ASSERT_EQ(batch.x.sizes(), (at::IntArrayRef{4, 2, 4, 4}));
    const Tensor means = batch.x.mean({1, 2, 3}) / 0.5;
    EXPECT_TRUE(at::allclose(means, means.round(), 0, 0.12));  // 5 deviations of a mean of 32
    deviations = at::cat({deviations, (batch.x / 0.5 - means.round().view({4, 1, 1, 1})).flatten()});
  }
  EXPECT_NEAR(deviations.std().item<double>(), 0.1, 0.003);
  EXPECT_NEAR(deviations.mean().item<double>(), 0, 0.003);
}

TEST(LatentStream, NoiseBelongsToTheItem) {
  const Batch batch = stream()(5);
  for (int64_t j = 0; j < 4; ++j) {
    const Tensor eps = at::randn({1, 2, 4, 4}, make_generator(3, Stream::kLatent, 5 * 4 + j), at::kFloat);
    const Tensor mean = (batch.x[j] / 0.5 - 0.1 * eps[0]);
    EXPECT_TRUE(at::allclose(mean, mean.round(), 0, 1e-4));
  }
}

TEST(LatentStream, IsAPureFunctionOfSeedAndStep) {
  const Batch once = stream(0.5)(7), again = stream(0.5)(7), other = stream(0.5, 4)(7);
  EXPECT_TRUE(at::equal(once.x, again.x));
  EXPECT_TRUE(at::equal(once.condition.context, again.condition.context));
  EXPECT_FALSE(at::equal(once.x, other.x));
}

TEST(LatentStream, CaptionsBelongToTheirImageAndAreDropped) {
  std::map<double, int> seen;
  int dropped = 0, total = 0;
  const auto all = stream(), some = stream(0.25);
  for (int64_t step = 0; step < 150; ++step) {
    const Batch batch = all(step), thinned = some(step);
    const Tensor images = (batch.x.mean({1, 2, 3}) / 0.5).round();
    for (int64_t j = 0; j < 4; ++j) {
      const double image = images[j].item<double>(), context = value(batch.condition.context[j]);
      if (image == kImages - 1) {
        EXPECT_EQ(context, -1);
        continue;
      }
      EXPECT_EQ(std::floor(context / 10), image);
      ++seen[context];
      ++total;
      dropped += value(thinned.condition.context[j]) == -1;
    }
  }
  EXPECT_EQ(seen.size(), 2u * (kImages - 1));  // every caption of every image
  EXPECT_NEAR(static_cast<double>(dropped) / total, 0.25, 0.08);
}

TEST(LatentStream, WithoutTextGivesNone) {
  const BatchAt at = make_latent_stream(std::make_shared<Numbered>(), {}, 1);
  EXPECT_FALSE(at({0, 2}).condition.context.defined());
}

}  // namespace
}  // namespace uvic::latent_source_test
