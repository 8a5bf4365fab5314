#include "unet_vit/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"

namespace uvic {
namespace {

struct Inputs {
  Tensor q, k, v, d_out;
};

Inputs random_inputs(int64_t length, at::ScalarType dtype) {
  at::Generator generator = make_generator(1, Stream::kNoise, static_cast<uint64_t>(length));
  const auto draw = [&] { return at::randn({2, 3, length, 8}, generator, at::kDouble).to(dtype); };
  return {draw(), draw(), draw(), draw()};
}

// The definition, written with autograd's own operations.
Tensor cog_by_definition(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options) {
  const Tensor p = at::matmul(q, k.transpose(-2, -1)) * options.scale;
  Tensor magnitude = p.abs();
  if (options.causal)
    magnitude = magnitude.masked_fill(at::ones_like(p).to(at::kBool).triu(1), -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(magnitude, -1) * p.sign().detach(), v);
}

std::vector<Tensor> values_and_gradients(Attend attend, const Inputs& in, const AttendOptions& options) {
  const Tensor q = in.q.clone().requires_grad_(), k = in.k.clone().requires_grad_(), v = in.v.clone().requires_grad_();
  const Tensor out = attend(q, k, v, options);
  out.backward(in.d_out);
  return {out.detach(), q.grad(), k.grad(), v.grad()};
}

TEST(CogAttention, EqualsItsDefinitionForwardAndBackward) {
  for (const bool causal : {false, true})
    for (const int64_t length : {1, 2, 17, 40}) {
      const Inputs in = random_inputs(length, at::kDouble);
      const AttendOptions options{.scale = 0.35, .causal = causal};
      const auto got = values_and_gradients(cog_attention, in, options);
      const auto want = values_and_gradients(cog_by_definition, in, options);
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(at::allclose(got[i], want[i], 1e-10, 1e-12)) << "length " << length << " part " << i;
    }
}

TEST(CogAttention, AZeroScoreHasNoWeightButItsShareOfTheDenominator) {
  // One query against keys with scores 0 and 2: weights 0 and e^2 / (e^0 + e^2).
  const auto tensor = [](std::vector<double> values, at::IntArrayRef shape) {
    return at::tensor(values, at::kDouble).reshape(shape);
  };
  const Tensor q = tensor({1, 0}, {1, 1, 1, 2}), k = tensor({0, 5, 2, 0}, {1, 1, 2, 2});
  const Tensor v = tensor({10, 10, 1, -1}, {1, 1, 2, 2});
  const double weight = std::exp(2) / (1 + std::exp(2));
  const Tensor out = cog_attention(q, k, v, {.scale = 1});
  EXPECT_NEAR(out.flatten()[0].item<double>(), weight, 1e-12);
  EXPECT_NEAR(out.flatten()[1].item<double>(), -weight, 1e-12);
  // A query of zeros attends to nothing, unlike softmax, which averages.
  EXPECT_EQ(cog_attention(q * 0, k, v, {.scale = 1}).abs().max().item<double>(), 0);
  EXPECT_NEAR(softmax_attention(q * 0, k, v, {.scale = 1}).flatten()[0].item<double>(), 5.5, 1e-12);
}

TEST(CogAttention, NegatedScoresNegateTheResult) {
  const Inputs in = random_inputs(9, at::kDouble);
  const Tensor out = cog_attention(in.q, in.k, in.v, {.scale = 1});
  EXPECT_TRUE(at::allclose(cog_attention(-in.q, in.k, in.v, {.scale = 1}), -out));
}

TEST(CogAttention, StaysFiniteForLargeScores) {
  Inputs in = random_inputs(9, at::kFloat);
  in.q.mul_(1e4);
  for (const Tensor& each : values_and_gradients(cog_attention, in, {.scale = 1}))
    EXPECT_TRUE(at::isfinite(each).all().item<bool>());
}

TEST(AttentionKinds, RunOnStridedInputsAndObeyTheCausalOrder) {
  for (const auto& kind : attention_kinds()) {
    const Tensor packed = at::randn({2, 5, 3, 4, 8}).permute({2, 0, 3, 1, 4});  // as a block's qkv gives it
    const auto attend = [&](const Tensor& k, bool causal) {
      return kind.value(packed[0], k, packed[2], {.scale = 0.5, .causal = causal});
    };
    EXPECT_EQ(attend(packed[1], false).sizes(), packed[0].sizes()) << kind.name;
    Tensor changed = packed[1].clone();
    changed.select(2, 4).add_(1);  // the last key
    const Tensor before = attend(packed[1], true), after = attend(changed, true);
    EXPECT_TRUE(at::equal(before.narrow(2, 0, 4), after.narrow(2, 0, 4))) << kind.name;
    EXPECT_FALSE(at::equal(before.select(2, 4), after.select(2, 4))) << kind.name;
  }
}

}  // namespace
}  // namespace uvic
