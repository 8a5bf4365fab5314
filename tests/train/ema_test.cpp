#include "train/ema.h"

#include <gtest/gtest.h>

namespace uvic::ema_test {
namespace {

TEST(Ema, TwoStepsFollowTheFormula) {
  const Tensor p = at::full({2}, 1.0, at::kDouble);
  Ema ema({{"p", p, Role::kNorm}}, {.rate = 0.9});
  p.fill_(2.0);
  ema.update({{"p", p, Role::kNorm}}, 1);
  EXPECT_NEAR(ema.parameters()[0].tensor[0].item<double>(), 0.9 * 1 + 0.1 * 2, 1e-15);
  p.fill_(-1.0);
  ema.update({{"p", p, Role::kNorm}}, 2);
  EXPECT_NEAR(ema.parameters()[0].tensor[0].item<double>(), 0.9 * 1.1 - 0.1, 1e-15);
}

TEST(Ema, StartsAsACopyNotAView) {
  const Tensor p = at::ones({1});
  const Ema ema({{"p", p, Role::kNorm}}, {});
  p.fill_(5);
  EXPECT_EQ(ema.parameters()[0].tensor.item<float>(), 1);
}

TEST(Ema, WarmUpGrowsToTheRateAndDependsOnTheStepAlone) {
  const EmaConfig plain{.rate = 0.999, .warmup = false}, warm{.rate = 0.999, .warmup = true};
  EXPECT_EQ(ema_decay(plain, 1), 0.999);
  EXPECT_DOUBLE_EQ(ema_decay(warm, 1), 2.0 / 11);
  EXPECT_LT(ema_decay(warm, 100), ema_decay(warm, 101));
  EXPECT_EQ(ema_decay(warm, 1000000), 0.999);
}

}  // namespace
}  // namespace uvic::ema_test
