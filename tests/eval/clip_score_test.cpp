#include "eval/metrics/clip_score.h"

#include <gtest/gtest.h>

namespace uvic::clip_score_test {
namespace {

TEST(ClipScore, IsAHundredCosinesAndNeverNegative) {
  const Tensor images = at::tensor({3.0, 4.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0}).view({4, 2});
  const Tensor texts = at::tensor({0.6, 0.8, -4.0, 3.0, -3.0, -4.0, 2.0, 0.0}).view({4, 2});
  const Tensor want = at::tensor({100.0, 0.0, 0.0, 60.0}, at::kDouble);
  EXPECT_LT((clip_scores(images, texts) - want).abs().max().item<double>(), 1e-5);
  EXPECT_EQ(clip_scores(images, texts).scalar_type(), at::kDouble);
}

TEST(ClipScore, ComesWithTheIntervalOfAMean) {
  const MetricValue value = mean_clip_score(at::tensor({20.0, 30.0, 40.0, 30.0}, at::kDouble));
  EXPECT_EQ(value.name, "CLIP score");
  EXPECT_DOUBLE_EQ(value.value, 30);
  EXPECT_NEAR(value.spread, 1.959964 * std::sqrt(200.0 / 3 / 4), 1e-5);
  EXPECT_EQ(value.spread_of, "95%");
  EXPECT_EQ(mean_clip_score(at::tensor({20.0}, at::kDouble)).spread_of, "");
}

}  // namespace
}  // namespace uvic::clip_score_test
