#include "train/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace uvic::adamw_test {
namespace {

Tensor parameter(std::vector<double> values) {
  return at::tensor(values, at::kDouble).requires_grad_();
}

TEST(AdamW, FollowsTheFormula) {
  const Tensor p = parameter({1.0, -2.0});
  const AdamWConfig config{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
  AdamW optimizer({{"p", p, Role::kMatrix}}, config);
  double w = 1.0, m = 0, v = 0;
  const double lr = 0.01, gradients[] = {0.5, -0.25, 2.0};
  for (int step = 1; step <= 3; ++step) {
    const double g = gradients[step - 1];
    p.mutable_grad().reset();
    (p * g).sum().backward();
    optimizer.step(lr);
    w -= lr * config.weight_decay * w;
    m = config.beta1 * m + (1 - config.beta1) * g;
    v = config.beta2 * v + (1 - config.beta2) * g * g;
    w -= lr * (m / (1 - std::pow(config.beta1, step))) /
         (std::sqrt(v / (1 - std::pow(config.beta2, step))) + config.eps);
    EXPECT_NEAR(p[0].item<double>(), w, 1e-12) << "step " << step;
  }
}

TEST(AdamW, RateZeroLeavesParametersButMovesTheMoments) {
  const Tensor p = parameter({3.0});
  AdamW optimizer({{"p", p, Role::kMatrix}}, {});
  (p * 2).sum().backward();
  optimizer.step(0);
  EXPECT_EQ(p.item<double>(), 3.0);
  EXPECT_GT(optimizer.state().at("exp_avg.p").item<double>(), 0);
  EXPECT_EQ(optimizer.state().at("step").item<int64_t>(), 1);
}

TEST(AdamW, SavedStateGoesOnBitForBit) {
  const auto run = [](AdamW& optimizer, const Tensor& p, int from, int to) {
    for (int i = from; i < to; ++i) {
      p.mutable_grad().reset();
      (p * p * (i + 1)).sum().backward();
      optimizer.step(0.05);
    }
  };
  const Tensor whole = parameter({1.0, 2.0}), part = parameter({1.0, 2.0});
  AdamW straight({{"p", whole, Role::kMatrix}}, {}), first({{"p", part, Role::kMatrix}}, {});
  run(straight, whole, 0, 6);
  run(first, part, 0, 3);
  TensorMap state;
  for (const auto& [name, tensor] : first.state()) state[name] = tensor.clone();
  AdamW second({{"p", part, Role::kMatrix}}, {});
  second.load_state(state, "state");
  run(second, part, 3, 6);
  EXPECT_TRUE(at::equal(whole, part));
}

TEST(AdamW, RefusesAStateOfOtherParameters) {
  const Tensor p = parameter({1.0});
  AdamW optimizer({{"p", p, Role::kMatrix}}, {});
  try {
    optimizer.load_state({{"exp_avg.q", at::zeros({1})}, {"step", at::ones({1}, at::kLong)}}, "optimizer.safetensors");
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("optimizer.safetensors"), std::string::npos) << text;
    EXPECT_NE(text.find("exp_avg.p"), std::string::npos) << text;
    EXPECT_NE(text.find("exp_avg.q"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace uvic::adamw_test
