#include "lm/memory.h"

#include <gtest/gtest.h>

#include "tests/lm/small_cogformer.h"
#include "transformer/lora.h"

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

TEST(Memory, WholeTextsAreReadAsBlockByBlock) {
  for (const auto& [segments, fam_length, stop] :
       {std::tuple(0, 3, false), {2, 2, false}, {1, 0, false}, {9, 1, false}, {1, 2, true}})
    for (const int64_t length : {18, 16, 3}) {
      const Cogformer net = with_memory(segments, fam_length, 3, stop);
      for (const Parameter& p : net.parameters()) p.tensor.set_requires_grad(true);
      const Tensor tokens = some_tokens(length);
      const auto gradients = [&](const Tensor& logits) {
        for (const Parameter& p : net.parameters()) p.tensor.mutable_grad().reset();
        next_token_loss(logits, tokens).backward();
        std::vector<Tensor> all;
        for (const Parameter& p : net.parameters())
          all.push_back(p.tensor.grad().defined() ? p.tensor.grad() : at::zeros_like(p.tensor));
        return all;
      };
      Cogformer::State one = net.begin(2), other = net.begin(2);
      const Tensor want = net.next(tokens, one), got = net.whole(tokens, other);
      EXPECT_TRUE(at::allclose(got, want, 1e-4, 1e-5)) << segments << ' ' << fam_length << ' ' << length;
      for (size_t i = 0; fam_length > 0 && i < one.layers.size(); ++i)
        EXPECT_TRUE(at::allclose(other.layers[i].fam, one.layers[i].fam, 1e-4, 1e-5)) << i;
      const std::vector<Tensor> a = gradients(got), b = gradients(want);
      for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::allclose(a[i], b[i], 1e-3, 1e-5)) << i;
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

// A sum of two hundred blocks still takes up the next one in every number, as bfloat16 would not.
TEST(Memory, FeedbackIsKeptInFloat32) {
  const at::NoGradGuard no_grad;
  Cogformer net = with_memory(0, 3);
  net.to(at::kCPU, at::kBFloat16);
  Cogformer::State state = net.begin(1);
  const Tensor tokens = at::arange(40, at::kLong).unsqueeze(0);
  for (int i = 0; i < 20; ++i) net.next(tokens, state);
  std::vector<Tensor> before;
  for (const LayerMemory& layer : state.layers) before.push_back(layer.fam);
  net.next(tokens.narrow(1, 0, 4), state);
  for (size_t i = 0; i < before.size(); ++i) {
    const Tensor& after = state.layers[i].fam;
    EXPECT_EQ(after.scalar_type(), at::kFloat);
    // What is added may be exactly zero in a number or two.
    EXPECT_GT((after != before[i]).to(at::kFloat).mean().item<double>(), 0.95);
    EXPECT_LT((after.to(at::kBFloat16) != before[i].to(at::kBFloat16)).to(at::kFloat).mean().item<double>(), 0.99);
  }
}

TEST(Memory, RefusesAStateThatIsNoneOfItsOwn) {
  const Cogformer net = with_memory(0, 3);
  const Tensor tokens = some_tokens(8);
  Cogformer::State none;
  EXPECT_THROW(net.next(tokens, none), c10::Error);
  Cogformer::State state = net.begin(2);
  EXPECT_THROW(net.next(tokens.narrow(1, 0, 0), state), c10::Error);
  EXPECT_THROW(net.begin(2, {at::zeros({1, 4, 32}), at::zeros({1, 4, 32}), at::zeros({1, 4, 32})}), c10::Error);
  CogformerConfig config = small_cogformer();
  config.memory = {.block = 4, .fam_length = 5};
  EXPECT_THROW(Cogformer{config}, c10::Error);
}

TEST(Lora, ReplacesMatricesBySums) {
  Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(8), before = net(tokens, causal_keys(8, 8));
  TensorMap base;
  for (const auto& [name, tensor, role] : net.parameters()) base[name] = tensor;
  const auto adapt = [&](const Tensor& b) {
    net.replace([&](const std::string& name, const Tensor& tensor, Role role) {
      if (role != Role::kBlockMatrix) return tensor;
      const Tensor& weight = base.at(name);
      return with_lora(weight, at::ones({weight.size(0), 2}), b.expand({2, weight.size(1)}), 3);
    });
    return net(tokens, causal_keys(8, 8));
  };
  Tensor b = at::zeros({2, 1}).requires_grad_();
  const Tensor same = adapt(b);
  EXPECT_TRUE(at::equal(same, before));
  same.sum().backward();
  EXPECT_GT(b.grad().abs().max().item<double>(), 0);
  EXPECT_FALSE(at::allclose(adapt(at::full({2, 1}, 0.01)), before, 1e-3, 1e-3));
  const Tensor sum =
      with_lora(at::eye(2), at::tensor({1.0f, 2.0f}).view({2, 1}), at::tensor({3.0f, 5.0f}).view({1, 2}), 0.5);
  EXPECT_TRUE(at::allclose(sum, at::tensor({2.5f, 2.5f, 3.0f, 6.0f}).view({2, 2})));
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
