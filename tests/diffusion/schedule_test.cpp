#include "diffusion/schedule.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace uvic::schedule_test {
namespace {

std::string error_of(const ScheduleConfig& config) {
  try {
    make_schedule(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Schedule, EveryKindIsVariancePreservingAndFalling) {
  for (const auto& entry : schedule_kinds()) {
    SCOPED_TRACE(entry.name);
    const auto schedule = make_schedule({.kind = std::string(entry.name)});
    EXPECT_EQ(schedule->alpha(0), 1);
    EXPECT_EQ(schedule->sigma(0), 0);
    for (double t = 0.001; t <= 1; t += 0.0173) {
      const double alpha = schedule->alpha(t), sigma = schedule->sigma(t);
      EXPECT_NEAR(alpha * alpha + sigma * sigma, 1, 1e-14);
      EXPECT_NEAR(schedule->alpha_bar(t), alpha * alpha, 1e-15);
      EXPECT_NEAR(schedule->lambda(t), std::log(alpha / sigma), 1e-12);
      EXPECT_LT(schedule->lambda(t), schedule->lambda(t - 0.0009));
      EXPECT_GT(schedule->beta(t), 0);
    }
  }
}

TEST(Schedule, InverseLambdaReturnsTheTime) {
  for (const auto& entry : schedule_kinds()) {
    SCOPED_TRACE(entry.name);
    const auto schedule = make_schedule({.kind = std::string(entry.name)});
    for (const double t : {1e-4, 0.001, 0.0015, 0.02, 0.3, 0.5004, 0.777, 0.9995, 1.0})
      EXPECT_NEAR(schedule->inverse_lambda(schedule->lambda(t)), t, 1e-11);
  }
}

TEST(Schedule, VpIsTheClosedForm) {
  const auto vp = make_schedule({});
  EXPECT_EQ(vp->steps(), 0);
  EXPECT_NEAR(vp->alpha_bar(1), std::exp(-10.05), 1e-18);
  EXPECT_NEAR(vp->alpha_bar(0.5), std::exp(-2.5375), 1e-15);
  EXPECT_DOUBLE_EQ(vp->beta(0.5), 10.05);
  // beta = -d log alpha_bar / dt.
  EXPECT_NEAR(vp->beta(0.3), -(vp->log_alpha(0.3 + 1e-5) - vp->log_alpha(0.3 - 1e-5)) / 1e-5, 1e-6);
  EXPECT_DOUBLE_EQ(vp->network_time(0.5), 499.5);
}

TEST(Schedule, SigmaNearZeroKeepsItsDigits) {
  const double t = 1e-6, exponent = 0.1 * t + 9.95 * t * t;  // sigma^2 = 1 - exp(-exponent)
  const double expected = std::sqrt(exponent - exponent * exponent / 2);
  EXPECT_NEAR(make_schedule({})->sigma(t) / expected, 1, 1e-13);
}

TEST(Schedule, DiscreteKindsHoldTheirBetas) {
  const auto linear = make_schedule({.kind = "linear"});
  EXPECT_EQ(linear->steps(), 1000);
  EXPECT_NEAR(linear->beta(0.001), 1000 * 1e-4, 1e-12);
  EXPECT_NEAR(linear->beta(1), 1000 * 0.02, 1e-12);
  EXPECT_NEAR(linear->alpha_bar(0.002), (1 - 1e-4) * (1 - (1e-4 + 0.0199 / 999)), 1e-15);
  EXPECT_NEAR(linear->alpha_bar(1), 4.035829765e-5, 1e-13);
  EXPECT_DOUBLE_EQ(linear->network_time(1), 1000);

  const auto scaled = make_schedule({.kind = "scaled-linear"});
  EXPECT_NEAR(scaled->beta(0.001), 0.85, 1e-12);
  EXPECT_NEAR(scaled->beta(1), 12, 1e-12);
  EXPECT_NEAR(scaled->beta(500 / 999.0), 1000 * std::pow((std::sqrt(0.00085) + std::sqrt(0.012)) / 2, 2), 0.01);
  EXPECT_NEAR(scaled->alpha_bar(1), 0.004660098513, 1e-12);
}

TEST(Schedule, CosineFollowsTheCosineUntilClipped) {
  const auto cosine = make_schedule({.kind = "cosine"});
  EXPECT_NEAR(cosine_alpha_bar(0), 1, 1e-15);
  EXPECT_NEAR(cosine_alpha_bar(0.5), 0.493843590, 1e-9);
  for (const double t : {0.001, 0.25, 0.5, 0.9, 0.999}) EXPECT_NEAR(cosine->alpha_bar(t), cosine_alpha_bar(t), 1e-12);
  EXPECT_NEAR(cosine_alpha_bar(1), 0, 1e-30);
  EXPECT_NEAR(cosine->alpha_bar(1) / cosine->alpha_bar(0.999), 0.001, 1e-9);  // beta_1000 = 0.999
}

TEST(Schedule, DiscreteLogAlphaIsLinearBetweenSteps) {
  const auto schedule = make_discrete_schedule({0.1, 0.3, 0.5});
  EXPECT_EQ(schedule->steps(), 3);
  EXPECT_NEAR(schedule->alpha_bar(2 / 3.0), 0.9 * 0.7, 1e-15);
  EXPECT_NEAR(schedule->alpha_bar(1), 0.9 * 0.7 * 0.5, 1e-15);
  EXPECT_NEAR(schedule->log_alpha(0.5), 0.5 * (std::log(0.9) + 0.5 * std::log(0.7)), 1e-15);
  EXPECT_NEAR(schedule->beta(0.5), 3 * 0.3, 1e-15);
}

TEST(Schedule, BetasCanBeSet) {
  EXPECT_DOUBLE_EQ(make_schedule({.kind = "vp", .beta_start = 0.2, .beta_end = 10})->beta(0), 0.2);
  EXPECT_DOUBLE_EQ(make_schedule({.kind = "vp", .beta_start = 0.2, .beta_end = 10})->beta(1), 10);
  EXPECT_NEAR(make_schedule({.kind = "linear", .beta_end = 0.01})->beta(1), 10, 1e-12);
  EXPECT_NEAR(make_schedule({.kind = "scaled-linear", .beta_start = 0.001})->beta(0.001), 1, 1e-12);
}

TEST(Schedule, ErrorsNameTheMistake) {
  EXPECT_EQ(error_of({.kind = "cosin"}), "unknown schedule 'cosin': expected one of vp, linear, scaled-linear, cosine");
  EXPECT_NE(error_of({.kind = "linear", .beta_end = 2})
                .find("the linear schedule cannot go from beta_start 0.0001 to "
                      "beta_end 2"),
            std::string::npos);
  EXPECT_NE(error_of({.kind = "vp", .beta_start = -1}).find("beta_start -1"), std::string::npos);
  EXPECT_NE(error_of({.kind = "vp", .beta_start = 30}).find("beta_start 30 to beta_end 20"), std::string::npos);
  EXPECT_NE(error_of({.kind = "cosine", .beta_end = 0.02}).find("the cosine schedule has no beta_start"),
            std::string::npos);
}

TEST(Schedule, TrainingTimesAreUniform) {
  at::Generator generator = image_generator(3);
  const Tensor t = make_schedule({})->sample_times(20000, generator);
  EXPECT_EQ(t.scalar_type(), at::kDouble);
  EXPECT_GE(t.min().item<double>(), 0);
  EXPECT_LT(t.max().item<double>(), 1);
  EXPECT_NEAR(t.mean().item<double>(), 0.5, 0.01);

  const Tensor n = make_schedule({.kind = "linear"})->sample_times(20000, generator) * 1000;
  EXPECT_LT((n - n.round()).abs().max().item<double>(), 1e-9);
  EXPECT_NEAR(n.min().item<double>(), 1, 1e-9);
  EXPECT_NEAR(n.max().item<double>(), 1000, 1e-9);
  EXPECT_NEAR(n.mean().item<double>(), 500.5, 10);

  at::Generator one = image_generator(4), two = image_generator(4);
  EXPECT_TRUE(at::equal(make_schedule({})->sample_times(5, one), make_schedule({})->sample_times(5, two)));
}

}  // namespace
}  // namespace uvic::schedule_test
