#include "app/draw/pipeline.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/interrupt.h"
#include "tests/random_model.h"
#include "tests/temporary.h"

namespace uvic::generate_test {
namespace {

const GenerateOptions kHow{.settings = {.sampler = {.kind = "dpm-solver++2m", .steps = 2}}, .batch = 2};

Request request(uint64_t seed) {
  Request request;
  request.seed = seed;
  request.number = static_cast<int64_t>(seed);
  return request;
}

// Seeds 0, 1, ...
NextRequest seeds(uint64_t count, std::string* events = nullptr) {
  return [=, next = uint64_t{0}]() mutable -> std::optional<Request> {
    if (next == count) return std::nullopt;
    if (events) *events += fmt::format("ask {} ", next);
    return request(next++);
  };
}

TEST(Generate, HandsOutABatchBeforeItAsksForTheNext) {
  const Model model = random_model(false);
  std::string events;
  std::vector<Tensor> images;
  generate(model, seeds(5, &events), kHow, [&](const Request& request, const Drawing& drawing) {
    events += fmt::format("got {} ", request.number);
    images.push_back(drawing.image);
  });
  EXPECT_EQ(events, "ask 0 ask 1 got 0 got 1 ask 2 ask 3 got 2 got 3 ask 4 got 4 ");
  const auto together = generate(model, {request(0), request(1), request(2), request(3), request(4)},
                                 {.settings = kHow.settings, .batch = 16});
  ASSERT_EQ(together.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(at::equal(images[i], together[i].image)) << i;
}

TEST(Generate, CountsImagesAndStopsWhenToldTo) {
  const Model model = random_model(false);
  std::vector<int64_t> counts;
  int64_t got = 0;
  const auto on_call = [&](int64_t done) {
    counts.push_back(done);
    if (counts.size() == 5) throw Interrupted();
  };
  EXPECT_THROW(generate(
                   model, seeds(100), kHow, [&](const Request&, const Drawing&) { ++got; }, on_call),
               Interrupted);
  EXPECT_EQ(counts, (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(got, 4);
}

TEST(Generate, FramesLeaveAsTheyCome) {
  const Model model = random_model(false);
  GenerateOptions how = kHow;
  how.strip = 2;
  const Drawing kept = generate(model, {request(5)}, how).front();
  std::vector<Tensor> frames;
  how.on_frame = [&](const Request& of, int64_t calls, const Tensor& frame) {
    EXPECT_EQ(of.seed, 5u);
    EXPECT_EQ(calls, std::ssize(frames) + 1);
    frames.push_back(frame);
  };
  const Drawing drawing = generate(model, {request(5)}, how).front();
  EXPECT_TRUE(drawing.strip.empty());
  ASSERT_EQ(frames.size(), kept.strip.size());
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_TRUE(at::equal(frames[i], kept.strip[i]));
}

// One that is no longer wanted leaves its neighbours as they are.
TEST(Generate, WhatIsNotWantedIsNotDrawnOn) {
  const Model model = random_model(false);
  const std::vector<Drawing> all = generate(model, {request(0), request(1), request(2)}, kHow);
  GenerateOptions how = kHow;
  bool is_wanted = true;
  how.is_wanted = [&](const Request& request) { return is_wanted || request.seed != 1; };
  const std::vector<Drawing> others =
      generate(model, {request(0), request(1), request(2)}, how, [&](int64_t) { is_wanted = false; });
  ASSERT_EQ(others.size(), 2u);
  EXPECT_TRUE(at::equal(others[0].image, all[0].image));
  EXPECT_TRUE(at::equal(others[1].image, all[2].image));
}

TEST(Generate, NamesTheSeedThatIsNotFiniteAndKeepsTheOthers) {
  const Model model = random_model(false);
  std::vector<int64_t> got;
  const auto next = [&, source = seeds(6)]() mutable {
    std::optional<Request> request = source();
    if (request && request->seed == 2) {
      request->to_seed = 7;
      request->mix = std::numeric_limits<double>::quiet_NaN();
    }
    return request;
  };
  const std::string error = error_of(
      [&] { generate(model, next, kHow, [&](const Request& r, const Drawing&) { got.push_back(r.number); }); });
  expect_mentions(error, {"seed 2 ", "network's output at step 1 of 2", "not finite"});
  EXPECT_EQ(got, (std::vector<int64_t>{0, 1, 3}));
}

TEST(Generate, NoPictureOfBrokenWeights) {
  Model model = random_model(false);
  at::NoGradGuard no_grad;
  model.net.parameters().front().tensor.fill_(std::numeric_limits<float>::infinity());
  for (const auto& sampler : samplers())
    EXPECT_THROW(
        generate(model, {request(1)}, {.settings = {.sampler = {.kind = std::string(sampler.name), .steps = 3}}}),
        NotFinite)
        << sampler.name;
}

TEST(Generate, NamesTheAutoencoder) {
  Model model = random_model(true);
  model.latent_scale = std::numeric_limits<double>::quiet_NaN();
  expect_mentions(error_of([&] { generate(model, {request(9)}, kHow); }), {"seed 9", "autoencoder", "not finite"});
}

TEST(NotFollowed, NamesTheWordsThatAreLeftOut) {
  Model model = random_model(false);
  model.card.config.model.context_tokens = 3;
  model.card.vocabulary = Vocabulary::build({"a red circle above a blue square"}, 100);
  EXPECT_TRUE(not_followed(model, "a red square").empty());
  EXPECT_TRUE(not_followed(model, "").empty());
  EXPECT_EQ(not_followed(model, " a red  circle above\ta blue square "),
            std::vector<std::string>{"reads 3 words and not the last 4 of these, \"above\ta blue square \""});
  EXPECT_EQ(not_followed(model, "a dodecahedron"), std::vector<std::string>{"does not know dodecahedron"});
  EXPECT_EQ(not_followed(model, "red, red!").size(), 2u);
}

}  // namespace
}  // namespace uvic::generate_test
