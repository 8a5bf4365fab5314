#include "datasets/stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <thread>

#include "tests/temporary.h"

namespace uvic::stream_test {
namespace {

// 50 images: channel 0 holds the index, channel 1 is bright in the left half only, so that a flip shows.
class Numbered final : public Dataset {
 public:
  explicit Numbered(bool classes = true, bool captions = true) : has_classes_(classes), has_captions_(captions) {}
  int64_t size() const override { return 50; }
  int64_t image_size() const override { return 4; }
  Tensor images(std::span<const int64_t> indices) const override {
    Tensor images = at::zeros({static_cast<int64_t>(indices.size()), 3, 4, 4}, at::kByte);
    for (size_t i = 0; i < indices.size(); ++i) images[i][0].fill_(indices[i]);
    images.slice(1, 1, 2).slice(3, 0, 2).fill_(255);
    return images;
  }
  int64_t label(int64_t index) const override { return !has_classes_ || index == 49 ? -1 : index % 5; }
  std::vector<std::string> captions(int64_t index) const override {
    if (!has_captions_ || index == 48) return {};
    return {fmt::format("number {}", index), fmt::format("the number {}", index)};
  }
  std::vector<std::string> classes() const override {
    return has_classes_ ? std::vector<std::string>{"a", "b", "c", "d", "e"} : std::vector<std::string>{};
  }
  std::string description() const override { return "numbered test images"; }

 private:
  bool has_classes_, has_captions_;
};

Vocabulary vocabulary() {
  std::vector<std::string> captions;
  for (int64_t i = 0; i < 50; ++i) captions.push_back(fmt::format("the number {}", i));
  return Vocabulary::build(captions, 1000);
}

StreamConfig config() {
  return {.seed = 3, .flip = true, .drop_condition = 0.1, .num_classes = 5, .context_tokens = 4};
}

BatchAt stream(const StreamConfig& config) {
  return make_stream(std::make_shared<Numbered>(), vocabulary(), config);
}

Items batch_of(int64_t step) {
  return {8 * step, 8};
}

std::vector<int64_t> indices(const Batch& batch) {
  const Tensor index =
      ((batch.x.select(1, 0).select(1, 0).select(1, 0) + 1) * 127.5).round().to(at::kLong).contiguous();
  return {index.const_data_ptr<int64_t>(), index.const_data_ptr<int64_t>() + index.numel()};
}

// [B] bool: the bright half is on the right.
Tensor flips(const Batch& batch) {
  return batch.x.select(1, 1).select(1, 0).select(1, 3) > 0;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_TRUE(at::equal(a.x, b.x));
  EXPECT_TRUE(at::equal(a.condition.label, b.condition.label));
  EXPECT_TRUE(at::equal(a.condition.context, b.condition.context));
}

std::vector<Batch> first(const BatchAt& batch_at, int64_t steps) {
  std::vector<Batch> batches;
  for (int64_t k = 0; k < steps; ++k) batches.push_back(batch_at(batch_of(k)));
  return batches;
}

TEST(Stream, GivesWhatTheBatchPromises) {
  const Batch batch = stream(config())(batch_of(0));
  EXPECT_EQ(batch.x.sizes(), (at::IntArrayRef{8, 3, 4, 4}));
  EXPECT_EQ(batch.x.scalar_type(), at::kFloat);
  EXPECT_EQ(batch.x.min().item<float>(), -1);
  EXPECT_EQ(batch.x.max().item<float>(), 1);
  EXPECT_EQ(batch.condition.label.sizes(), at::IntArrayRef{8});
  EXPECT_EQ(batch.condition.label.scalar_type(), at::kLong);
  EXPECT_EQ(batch.condition.context.sizes(), (at::IntArrayRef{8, 4}));
  EXPECT_EQ(batch.condition.context.scalar_type(), at::kLong);
}

TEST(Stream, GivesNoConditionUnlessAsked) {
  const auto data = std::make_shared<Numbered>(false, false);
  const Batch batch = make_stream(data, std::nullopt, {})({0, 2});
  EXPECT_FALSE(batch.condition.label.defined());
  EXPECT_FALSE(batch.condition.context.defined());
}

TEST(Stream, IsAPureFunctionOfSeedAndItems) {
  const auto a = stream(config()), b = stream(config());
  const Batch seven = a(batch_of(7));
  a(batch_of(3));
  expect_equal(seven, a(batch_of(7)));
  b(batch_of(20));
  expect_equal(seven, b(batch_of(7)));
  auto other = config();
  other.seed = 4;
  EXPECT_NE(indices(seven), indices(stream(other)(batch_of(7))));
}

TEST(Stream, EveryEpochVisitsEveryImageOnceInAnotherOrder) {
  std::vector<int64_t> items;
  for (const Batch& batch : first(stream(config()), 50))
    for (const int64_t index : indices(batch)) items.push_back(index);
  ASSERT_EQ(items.size(), 400u);
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 8; ++epoch) {
    const std::vector<int64_t> visited(items.begin() + 50 * epoch, items.begin() + 50 * (epoch + 1));
    EXPECT_EQ(std::set<int64_t>(visited.begin(), visited.end()).size(), 50u) << "epoch " << epoch;
    orders.insert(visited);
  }
  EXPECT_EQ(orders.size(), 8u);
}

TEST(Stream, SmallBatchesInARowAreOneLargeBatch) {
  for (const int64_t begin : {0, 5, 108}) {
    std::vector<Tensor> x, label, context;
    for (const Items items : {Items{begin, 1}, {begin + 1, 7}, {begin + 8, 4}}) {
      const Batch batch = stream(config())(items);
      x.push_back(batch.x);
      label.push_back(batch.condition.label);
      context.push_back(batch.condition.context);
    }
    expect_equal({at::cat(x), {at::cat(label), at::cat(context)}}, stream(config())({begin, 12}));
  }
}

TEST(Stream, FlipsHalfOfTheImagesAndOnlyIfAsked) {
  double flipped = 0;
  for (const Batch& batch : first(stream(config()), 250)) {
    flipped += flips(batch).sum().item<double>();
    // A flipped picture is bright on the right and dark on the left.
    EXPECT_TRUE(at::equal(flips(batch), batch.x.select(1, 1).select(1, 0).select(1, 0) < 0));
  }
  EXPECT_NEAR(flipped / 2000, 0.5, 0.05);
  auto straight = config();
  straight.flip = false;
  for (const Batch& batch : first(stream(straight), 20)) EXPECT_FALSE(flips(batch).any().item<bool>());
}

TEST(Stream, DropsTheAskedShareOfConditionsLabelAndTextTogether) {
  for (const double share : {0.0, 0.1, 0.5, 1.0}) {
    auto dropping = config();
    dropping.drop_condition = share;
    int64_t dropped = 0, counted = 0;
    for (const Batch& batch : first(stream(dropping), 250)) {
      const auto index = indices(batch);
      for (size_t j = 0; j < index.size(); ++j) {
        if (index[j] >= 48) continue;  // these lack a caption or a label anyway
        const int64_t label = batch.condition.label[j].item<int64_t>();
        EXPECT_EQ(label == 5, batch.condition.context[j].eq(0).all().item<bool>());
        if (label != 5) {
          EXPECT_EQ(label, index[j] % 5);
        }
        dropped += label == 5;
        ++counted;
      }
    }
    EXPECT_NEAR(static_cast<double>(dropped) / counted, share, share > 0 && share < 1 ? 0.04 : 0) << share;
  }
}

TEST(Stream, DrawsAllCaptionsOfAnImage) {
  const Vocabulary words = vocabulary();
  auto all = config();
  all.drop_condition = 0;
  int64_t with_article = 0, counted = 0;
  for (const Batch& batch : first(stream(all), 125)) {
    const auto index = indices(batch);
    for (size_t j = 0; j < index.size(); ++j) {
      const Tensor context = batch.condition.context[j].contiguous();
      const std::vector<int64_t> ids(context.const_data_ptr<int64_t>(), context.const_data_ptr<int64_t>() + 4);
      if (index[j] == 48) {  // without captions: the empty text
        EXPECT_EQ(ids, (std::vector<int64_t>{0, 0, 0, 0}));
        continue;
      }
      const bool article = ids == words.encode(fmt::format("the number {}", index[j]), 4).ids;
      EXPECT_TRUE(article || ids == words.encode(fmt::format("number {}", index[j]), 4).ids) << index[j];
      with_article += article;
      ++counted;
    }
  }
  EXPECT_NEAR(static_cast<double>(with_article) / counted, 0.5, 0.06);
}

TEST(Stream, MissingConditionsAreErrors) {
  const auto error = [](const std::shared_ptr<Dataset>& data, const StreamConfig& config) {
    return error_of([&] { make_stream(data, vocabulary(), config); });
  };
  expect_mentions(error(std::make_shared<Numbered>(false), config()), {"5 classes but the data has none"});
  expect_mentions(error(std::make_shared<Numbered>(true, false), config()), {"captions but the data has none"});
  auto ten = config();
  ten.num_classes = 10;
  expect_mentions(error(std::make_shared<Numbered>(), ten), {"10 classes but the data has 5"});
}

// The batches of these tests are of one item.
Items item(int64_t i) {
  return {i, 1};
}
std::optional<Items> one_further(Items items) {
  return item(items.first + 1);
}

TEST(Prefetch, GivesTheSameBatchesInAnyOrder) {
  const auto third = [](Items items) -> std::optional<Items> { return item(items.first + 3); };
  const auto none = [](Items) -> std::optional<Items> { return std::nullopt; };
  const auto plain = stream(config());
  for (const NextItems& next : {NextItems(one_further), NextItems(third), NextItems(none)}) {
    const auto fetched = prefetch(stream(config()), next);
    for (const int64_t step : {0, 1, 2, 7, 7, 6, 8, 9, 0, 3, 6}) expect_equal(plain(item(step)), fetched(item(step)));
  }
}

TEST(Prefetch, ComputesWhatFollowsAndNothingAfterTheLast) {
  std::vector<int64_t> computed;
  {
    const auto fetched = prefetch(
        [&](Items items) {
          computed.push_back(items.first);
          return Batch{at::full({1}, items.first), {}};
        },
        [](Items items) { return items.first + 3 < 10 ? std::optional(item(items.first + 3)) : std::nullopt; });
    for (const int64_t step : {1, 4, 7}) EXPECT_EQ(fetched(item(step)).x.item<int64_t>(), step);
  }
  EXPECT_EQ(computed, (std::vector<int64_t>{1, 4, 7}));
}

TEST(Prefetch, AJumpGoesOnFromThere) {
  std::latch next(1);
  std::vector<int64_t> computed;
  {
    const auto fetched = prefetch(
        [&](Items items) {
          computed.push_back(items.first);
          if (items.first == 103) next.count_down();
          return Batch{at::full({1}, items.first), {}};
        },
        [](Items items) { return std::optional(item(items.first + 3)); });
    for (const int64_t step : {1, 100}) EXPECT_EQ(fetched(item(step)).x.item<int64_t>(), step);
    next.wait();  // would hang if 101 were taken to follow
    EXPECT_EQ(fetched(item(103)).x.item<int64_t>(), 103);
  }
  EXPECT_EQ((std::vector<int64_t>(computed.begin(), computed.begin() + 4)), (std::vector<int64_t>{1, 4, 100, 103}));
}

TEST(Prefetch, ComputesTheNextStepInTheBackground) {
  std::latch next(1);
  std::thread::id worker;
  const auto fetched = prefetch(
      [&](Items items) {
        if (items.first == 1) {
          worker = std::this_thread::get_id();
          next.count_down();
        }
        return Batch{at::full({1}, items.first), {}};
      },
      one_further);
  fetched(item(0));
  next.wait();  // would hang if step 1 waited for its call
  EXPECT_EQ(fetched(item(1)).x.item<int64_t>(), 1);
  EXPECT_NE(worker, std::this_thread::get_id());
}

TEST(Prefetch, ExceptionsSurfaceAtTheirStepAndEndNothing) {
  const auto fetched = prefetch(
      [](Items items) {
        if (items.first == 2) fail("item {} is broken", items.first);
        return Batch{at::full({1}, items.first), {}};
      },
      one_further);
  EXPECT_EQ(fetched(item(0)).x.item<int64_t>(), 0);
  EXPECT_EQ(fetched(item(1)).x.item<int64_t>(), 1);  // the guess, step 2, fails meanwhile
  EXPECT_EQ(fetched(item(3)).x.item<int64_t>(), 3);
  for (int again = 0; again < 2; ++again) EXPECT_THROW(fetched(item(2)), Error);
  EXPECT_EQ(fetched(item(4)).x.item<int64_t>(), 4);
}

TEST(Prefetch, EndsItsThreadWhileItComputes) {
  std::atomic<int> running = 0;
  {
    const auto fetched = prefetch(
        [&](Items items) {
          ++running;
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          --running;
          return Batch{at::full({1}, items.first), {}};
        },
        one_further);
    fetched(item(0));
  }
  EXPECT_EQ(running, 0);
  prefetch([](Items) { return Batch{}; }, one_further);  // never called
}

TEST(Prefetch, BatchesNeedNoGradientUnderAnyMode) {
  const auto fetched = prefetch(stream(config()), one_further);
  at::NoGradGuard guard;
  EXPECT_FALSE(fetched(item(0)).x.requires_grad());
  expect_equal(stream(config())(item(1)), fetched(item(1)));
}

}  // namespace
}  // namespace uvic::stream_test
