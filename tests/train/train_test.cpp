#include "train/train.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/precision.h"
#include "core/random.h"

namespace uvic::train_test {
namespace {

// y = w x with noisy targets: inputs and noise depend on the micro-batch alone, as in a real run.
Tensor inputs(int64_t micro_batch) {
  at::Generator generator = make_generator(7, Stream::kOrder, static_cast<uint64_t>(micro_batch));
  return at::randn({4, 3}, generator, at::kFloat);
}

void go_on(const StepStats&) {}

struct Toy {
  Tensor w = at::full({3}, 0.5).requires_grad_();
  Parameters parameters() const { return {{"w", w, Role::kMatrix}}; }
  StepLoss loss() const {
    return [w = w](int64_t micro_batch, at::Generator& generator) {
      return (at::matmul(inputs(micro_batch), w) - 1 - 0.1 * at::randn({4}, generator, at::kFloat)).square().mean();
    };
  }
};

TrainConfig config() {
  return {.steps = 10,
          .batch = 4,
          .accumulate = 2,
          .seed = 3,
          .lr = 0.05,
          .warmup = 2,
          .lr_decay = "cosine",
          .clip = 1.0,
          .precision = "fp32",
          .adamw = {},
          .ema = {.rate = 0.9}};
}

TEST(Train, ResumedEqualsUninterrupted) {
  const Toy whole;
  TrainState straight(whole.parameters(), config());
  train(straight, whole.loss(), config(), at::kCPU, go_on);

  const Toy part;
  TrainState first(part.parameters(), config());
  const auto stop = [](const StepStats& stats) {
    if (stats.step == 4) throw Interrupted();
  };
  EXPECT_THROW(train(first, part.loss(), config(), at::kCPU, stop), Interrupted);
  EXPECT_EQ(first.step, 4);
  TrainState second(part.parameters(), config());
  second.optimizer->load_state(first.optimizer->state(), "state");
  load_into(second.ema.parameters(), to_map(first.ema.parameters()), "ema");
  second.step = first.step;
  train(second, part.loss(), config(), at::kCPU, go_on);

  EXPECT_EQ(second.step, 10);
  EXPECT_TRUE(at::equal(whole.w, part.w));
  EXPECT_TRUE(at::equal(straight.ema.parameters()[0].tensor, second.ema.parameters()[0].tensor));
  EXPECT_FALSE(at::equal(whole.w, second.ema.parameters()[0].tensor));
}

TEST(Train, AccumulationEqualsOneLargeBatch) {
  // Without noise in the loss, two micro-batches of a step have the gradient of their union.
  const auto loss = [](const Tensor& w, const std::function<Tensor(int64_t)>& x_of) {
    return [w, x_of](int64_t m, at::Generator&) { return (at::matmul(x_of(m), w) - 1).square().mean(); };
  };
  TrainConfig split = config(), joint = config();
  split.steps = joint.steps = 3;
  joint.accumulate = 1;
  const Toy a, b;
  TrainState first(a.parameters(), split), second(b.parameters(), joint);
  train(first, loss(a.w, inputs), split, at::kCPU, go_on);
  const auto both = [](int64_t m) { return at::cat({inputs(2 * m), inputs(2 * m + 1)}); };
  train(second, loss(b.w, both), joint, at::kCPU, go_on);
  EXPECT_TRUE(at::allclose(a.w, b.w, 1e-5, 1e-6));
}

TEST(Train, AsksForMicroBatchesInTheOrderItTells) {
  TrainConfig c = config();
  c.steps = 3;
  const Toy toy;
  std::vector<int64_t> asked, told{0};
  const StepLoss loss = [&](int64_t micro_batch, at::Generator& generator) {
    asked.push_back(micro_batch);
    return toy.loss()(micro_batch, generator);
  };
  TrainState state(toy.parameters(), c);
  train(state, loss, c, at::kCPU, go_on);
  while (const auto next = next_micro_batch(c, told.back())) told.push_back(*next);
  EXPECT_EQ(asked, told);
  EXPECT_EQ(asked.size(), 6u);
}

TEST(Train, ClippingLimitsTheGradientThatTheOptimizerSees) {
  TrainConfig clipped = config();
  clipped.steps = 1;
  clipped.warmup = 0;
  clipped.clip = 1e-3;
  clipped.adamw.beta1 = 0;
  const Toy toy;
  TrainState state(toy.parameters(), clipped);
  double reported = 0;
  train(state, toy.loss(), clipped, at::kCPU, [&](const StepStats& stats) { reported = stats.grad_norm; });
  EXPECT_GT(reported, 1e-3);  // the norm before clipping
  EXPECT_NEAR(state.optimizer->state().at("exp_avg.w").norm().item<double>(), 1e-3, 1e-6);
}

TEST(Train, LearningRateWarmsUpFromZeroAndDecays) {
  TrainConfig c;
  c.steps = 100;
  c.lr = 1.0;
  c.warmup = 10;
  c.lr_decay = "cosine";
  EXPECT_EQ(learning_rate(c, 0), 0);
  EXPECT_NEAR(learning_rate(c, 5), 0.5 * 0.99384417029756886, 1e-12);
  EXPECT_NEAR(learning_rate(c, 50), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(c, 100), 0, 1e-12);
  c.lr_decay = "constant";
  EXPECT_EQ(learning_rate(c, 50), 1.0);
  c.warmup = 0;
  EXPECT_EQ(learning_rate(c, 0), 1.0);
}

TEST(Train, DoubtsAWarmUpAndAnAverageLongerThanTheRun) {
  TrainConfig c;
  c.steps = 1000;
  c.warmup = 999;
  c.ema.rate = 0.99;
  EXPECT_TRUE(doubts(c).empty());
  c.warmup = 1000;
  ASSERT_EQ(doubts(c).size(), 1u);
  EXPECT_NE(doubts(c)[0].find("train.warmup 1000"), std::string::npos);
  c.warmup = 0;
  c.ema.rate = 0.9999;  // 0.9999^1000 = 0.905
  ASSERT_EQ(doubts(c).size(), 1u);
  EXPECT_NE(doubts(c)[0].find("90 % of the average"), std::string::npos) << doubts(c)[0];
  EXPECT_NE(doubts(c)[0].find("at most 0.9931"), std::string::npos) << doubts(c)[0];  // 0.001^(1/1000)
  c.ema.warmup = true;
  EXPECT_TRUE(doubts(c).empty());
  c.ema = {.rate = 0, .warmup = false};
  EXPECT_TRUE(doubts(c).empty());
}

TEST(Train, WholeNumbersAreNoWeights) {
  const Toy toy;
  try {
    load_into(toy.parameters(), {{"w", at::ones({3}, at::kLong)}}, "x.pth");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "x.pth: w holds Long, expected floating-point numbers");
  }
  EXPECT_TRUE(at::equal(toy.w, at::full({3}, 0.5)));
}

TEST(Train, NonFiniteLossStopsWithTheStepNamedAndTheStateKept) {
  const Toy toy;
  TrainState state(toy.parameters(), config());
  Tensor before;
  const StepLoss loss = [&](int64_t micro_batch, at::Generator& generator) {
    const Tensor value = toy.loss()(micro_batch, generator);
    return state.step == 5 ? value * std::numeric_limits<float>::quiet_NaN() : value;
  };
  try {
    train(state, loss, config(), at::kCPU, [&](const StepStats&) { before = toy.w.detach().clone(); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("step 6"), std::string::npos) << error.what();
  }
  EXPECT_EQ(state.step, 5);
  EXPECT_TRUE(at::equal(toy.w, before));
}

TEST(Train, Bf16RunsMatrixProductsInBfloat16) {
  TrainConfig c = config();
  c.steps = 1;
  for (const auto& precision : precisions()) {
    c.precision = std::string(precision.name);
    const Tensor w = at::ones({3, 3}).requires_grad_();
    TrainState state({{"w", w, Role::kMatrix}}, c);
    at::ScalarType seen = at::kByte;
    const StepLoss loss = [&](int64_t micro_batch, at::Generator&) {
      const Tensor product = at::matmul(inputs(micro_batch), w);
      seen = product.scalar_type();
      return product.to(at::kFloat).square().mean();
    };
    train(state, loss, c, at::kCPU, go_on);
    EXPECT_EQ(seen, precision.value) << precision.name;
    EXPECT_EQ(w.grad().scalar_type(), at::kFloat);
  }
}

}  // namespace
}  // namespace uvic::train_test
