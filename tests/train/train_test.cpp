#include "train/train.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/precision.h"
#include "core/random.h"

namespace uvic::train_test {
namespace {

// y = w x with noisy targets: what is drawn for an item depends on its number alone, as in a real run.
Tensor draws(Items items, Stream stream, int64_t width) {
  std::vector<Tensor> rows;
  for (int64_t i = items.first; i < items.first + items.count; ++i)
    rows.push_back(at::randn({width}, make_generator(7, stream, static_cast<uint64_t>(i)), at::kFloat));
  return at::stack(rows);
}

void go_on(const StepStats&) {}

struct Toy {
  Tensor w = at::full({3}, 0.5).requires_grad_();
  Parameters parameters() const { return {{"w", w, Role::kMatrix}}; }
  StepLoss loss() const {
    return [w = w](Items items) {
      const Tensor noise = 0.1 * draws(items, Stream::kNoise, 1).view(-1);
      const Tensor error = at::matmul(draws(items, Stream::kOrder, 3), w) - 1 - noise;
      return MicroBatchLoss{error.square().mean(), static_cast<double>(items.count)};
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
          .ema = {.rate = 0.9},
          .world = {}};
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

TEST(Train, AStepIsTheSameHoweverItIsCut) {
  const auto trained = [](int64_t batch, int64_t accumulate, int64_t micro_batch) {
    TrainConfig c = config();
    c.batch = batch;
    c.accumulate = accumulate;
    c.micro_batch = micro_batch;
    const Toy toy;
    TrainState state(toy.parameters(), c);
    std::vector<double> losses;
    train(state, toy.loss(), c, at::kCPU, [&](const StepStats& stats) { losses.push_back(stats.loss); });
    return std::pair(toy.w.detach(), losses);
  };
  const auto [whole, losses] = trained(8, 1, 0);
  for (const auto& [batch, accumulate, micro_batch] : {std::tuple(4, 2, 0), {8, 1, 3}, {4, 2, 3}, {8, 1, 100}}) {
    const auto [w, cut_losses] = trained(batch, accumulate, micro_batch);
    EXPECT_TRUE(at::allclose(w, whole, 1e-5, 1e-6)) << batch << ' ' << micro_batch;
    for (size_t i = 0; i < losses.size(); ++i) EXPECT_NEAR(cut_losses[i], losses[i], 1e-5 * losses[i]);
  }
}

TEST(Train, AMicroBatchCountsByItsWeight) {
  // Items 0 and 1 have the gradients 1 and 3; the second counts three times as much.
  TrainConfig c = config();
  c.steps = 1;
  c.batch = 2;
  c.accumulate = 1;
  c.micro_batch = 1;
  c.clip = 0;
  const Toy toy;
  TrainState state(toy.parameters(), c);
  const StepLoss loss = [&](Items items) {
    const double slope = items.first == 0 ? 1 : 3;
    return MicroBatchLoss{toy.w.sum() * slope, slope};
  };
  double mean = 0;
  train(state, loss, c, at::kCPU, [&](const StepStats& stats) { mean = stats.loss; });
  EXPECT_TRUE(at::allclose(toy.w.grad(), at::full({3}, 2.5)));  // (1 1 + 3 3) / 4
  EXPECT_NEAR(mean, 2.5 * 1.5, 1e-6);
}

TEST(Train, AsksForMicroBatchesInTheOrderItTells) {
  TrainConfig c = config();
  c.steps = 3;
  c.micro_batch = 3;
  const Toy toy;
  std::vector<Items> asked;
  const StepLoss loss = [&](Items items) {
    asked.push_back(items);
    return toy.loss()(items);
  };
  TrainState state(toy.parameters(), c);
  train(state, loss, c, at::kCPU, go_on);
  std::vector<Items> told{{0, 3}};
  while (const auto next = next_micro_batch(c, {}, told.back())) told.push_back(*next);
  EXPECT_EQ(asked, told);
  EXPECT_EQ(asked.size(), 12u);
}

TEST(Train, RanksShareOutEveryBatch) {
  TrainConfig c = config();
  c.batch = 7;
  for (int64_t size = 1; size <= 7; ++size)
    for (const int64_t micro_batch : {0, 2}) {
      c.micro_batch = micro_batch;
      std::vector<int64_t> items, shares;
      for (int64_t rank = 0; rank < size; ++rank) {
        shares.push_back(0);
        for (const Items& part : micro_batches(c, 5, {rank, size})) {
          EXPECT_LE(part.count, micro_batch == 0 ? 7 : micro_batch);
          EXPECT_EQ(part.first / 7, (part.first + part.count - 1) / 7);  // of one batch
          for (int64_t i = 0; i < part.count; ++i) items.push_back(part.first + i);
          shares.back() += part.count;
        }
      }
      std::ranges::sort(items);
      std::vector<int64_t> all(14);
      std::iota(all.begin(), all.end(), 70);
      EXPECT_EQ(items, all);
      EXPECT_LE(std::ranges::max(shares) - std::ranges::min(shares), 2);  // one in each of two batches
    }
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
  const StepLoss loss = [&](Items items) {
    MicroBatchLoss value = toy.loss()(items);
    if (state.step == 5) value.mean = value.mean * std::numeric_limits<float>::quiet_NaN();
    return value;
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
    const StepLoss loss = [&](Items items) {
      const Tensor product = at::matmul(draws(items, Stream::kOrder, 3), w);
      seen = product.scalar_type();
      return MicroBatchLoss{product.to(at::kFloat).square().mean(), static_cast<double>(items.count)};
    };
    train(state, loss, c, at::kCPU, go_on);
    EXPECT_EQ(seen, precision.value) << precision.name;
    EXPECT_EQ(w.grad().scalar_type(), at::kFloat);
  }
}

}  // namespace
}  // namespace uvic::train_test
