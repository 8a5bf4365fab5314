#include "lm/memory.h"

#include <gtest/gtest.h>

#include "tests/lm/small_cogformer.h"

namespace uvic::memory_test {
namespace {

Cogformer with_memory(int64_t segments, int64_t fam_length, int64_t layers = 3, bool stop_gradient = false) {
  CogformerConfig config = small_cogformer(layers);
  config.memory = {.block = 4, .segments = segments, .fam_length = fam_length, .stop_gradient = stop_gradient};
  return random_cogformer(config);
}

Tensor read(const Cogformer& net, const Tensor& tokens, const std::vector<int64_t>& lengths) {
  Cogformer::State state = net.begin(tokens.size(0));
  return in_pieces(tokens, lengths, [&](const Tensor& piece, int64_t) { return net.next(piece, state); });
}

TEST(Memory, WithoutFeedbackIsTheBlockWindow) {
  const at::NoGradGuard no_grad;
  for (const int64_t segments : {0, 1, 3}) {
    const Cogformer net = with_memory(segments, 0);
    const Tensor tokens = some_tokens(18);
    EXPECT_TRUE(at::allclose(read(net, tokens, {18}), net(tokens, block_window_keys(18, 4, segments)), 1e-4, 1e-5))
        << segments;
  }
}

TEST(Memory, AnySplitGivesTheLogitsOfTheWhole) {
  const at::NoGradGuard no_grad;
  for (const auto& [segments, fam_length] : {std::pair(0, 3), {2, 2}, {1, 0}}) {
    const Cogformer net = with_memory(segments, fam_length);
    const Tensor tokens = some_tokens(18), want = read(net, tokens, {18});
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>(18, 1), {4, 4, 4, 4, 2}, {3, 2, 7, 1, 5}, {17, 1}})
      EXPECT_TRUE(at::allclose(read(net, tokens, lengths), want, 1e-4, 1e-5)) << segments << ' ' << fam_length;
  }
}

TEST(Memory, EarlierLogitsDoNotKnowLaterTokens) {
  const at::NoGradGuard no_grad;
  const Cogformer net = with_memory(1, 3);
  const Tensor tokens = some_tokens(18);
  Tensor changed = tokens.clone();
  changed.select(1, 9).fill_(49);
  const Tensor a = read(net, tokens, {18}), b = read(net, changed, {18});
  EXPECT_TRUE(at::equal(a.narrow(1, 0, 9), b.narrow(1, 0, 9)));
  EXPECT_FALSE(at::equal(a.select(1, 17), b.select(1, 17)));
}

// Of the last logits by the embedding of the first token, which stands nowhere else.
double reach(const Cogformer& net, int64_t length) {
  Tensor embedding;
  for (const auto& [name, tensor, role] : net.parameters())
    if (name == "embedding.weight") embedding = tensor;
  embedding.requires_grad_();
  embedding.mutable_grad().reset();
  const Tensor tokens = at::arange(length, at::kLong).unsqueeze(0);
  read(net, tokens, {length}).select(1, length - 1).sum().backward();
  return embedding.grad()[0].abs().max().item<double>();
}

TEST(Memory, FeedbackReachesWhatTheWindowCannot) {
  // Two layers with one segment of four tokens see back two blocks, and not a token more.
  EXPECT_GT(reach(with_memory(1, 0, 2), 12), 1e-6);
  EXPECT_EQ(reach(with_memory(1, 0, 2), 13), 0);
  EXPECT_GT(reach(with_memory(1, 3, 2), 13), 1e-6);
  EXPECT_GT(reach(with_memory(0, 3, 2), 29), 0);
  // Stopped at every block, gradients come from the own one alone, but through the feedback.
  EXPECT_GT(reach(with_memory(1, 0, 2, true), 4), 1e-6);
  EXPECT_EQ(reach(with_memory(1, 0, 2, true), 5), 0);
  EXPECT_GT(reach(with_memory(1, 3, 2, true), 5), 1e-6);
}

TEST(Memory, StateDoesNotGrowWithTheText) {
  const at::NoGradGuard no_grad;
  const Cogformer net = with_memory(2, 3);
  Cogformer::State state = net.begin(1);
  const auto numbers = [&] {
    int64_t all = 0;
    for (const LayerMemory& layer : state.layers) all += layer.keys.numel() + layer.values.numel() + layer.fam.numel();
    return all;
  };
  const Tensor tokens = at::arange(12, at::kLong).unsqueeze(0);
  net.next(tokens, state);
  const int64_t after_three = numbers();
  for (int i = 0; i < 20; ++i) net.next(tokens, state);
  EXPECT_EQ(numbers(), after_three);
  for (const LayerMemory& layer : state.layers) EXPECT_TRUE(at::isfinite(layer.fam).all().item<bool>());
}

TEST(Memory, ACarriedFeedbackIsAddedToFromTheFirstBlockOn) {
  const at::NoGradGuard no_grad;
  const Cogformer net = with_memory(0, 3);
  const Tensor tokens = some_tokens(8);
  Cogformer::State first = net.begin(2);
  std::vector<Tensor> learned;
  for (const LayerMemory& layer : first.layers) learned.push_back(layer.fam);
  Cogformer::State carried = net.begin(2, learned);
  const Tensor a = net.next(tokens, first), b = net.next(tokens, carried);
  EXPECT_TRUE(at::equal(a.narrow(1, 0, 4), b.narrow(1, 0, 4)));
  EXPECT_FALSE(at::allclose(a.narrow(1, 4, 4), b.narrow(1, 4, 4), 1e-4, 1e-4));
}

}  // namespace
}  // namespace uvic::memory_test
