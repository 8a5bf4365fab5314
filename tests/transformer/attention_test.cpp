#include "transformer/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "tests/transformer/attention_definition.h"

namespace uvic::attention_test {
namespace {

struct Inputs {
  Tensor qkv, d_out;
};

Inputs random_inputs(int64_t length, at::ScalarType dtype) {
  at::Generator generator = make_generator(1, Stream::kNoise, static_cast<uint64_t>(length));
  const auto draw = [&](at::IntArrayRef shape) { return at::randn(shape, generator, at::kDouble).to(dtype); };
  return {draw({2, length, 3, 3, 8}), draw({2, length, 3, 8})};
}

std::vector<Tensor> values_and_gradients(Attend attend, const Inputs& in, const AttendOptions& options) {
  const Tensor qkv = in.qkv.clone().requires_grad_();
  const Tensor out = attend(qkv, options);
  out.backward(in.d_out);
  return {out.detach(), qkv.grad()};
}

TEST(CogAttention, EqualsItsDefinitionForwardAndBackward) {
  for (const bool causal : {false, true})
    for (const int64_t length : {1, 2, 17, 40}) {
      const Inputs in = random_inputs(length, at::kDouble);
      const AttendOptions options{.scale = 0.35, .keys = {.causal = causal}};
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
  const Tensor q = tensor({1, 0, 1, 0}, {1, 2, 1, 2}), k = tensor({0, 5, 2, 0}, {1, 2, 1, 2});
  const Tensor v = tensor({10, 10, 1, -1}, {1, 2, 1, 2});
  const double weight = std::exp(2) / (1 + std::exp(2));
  const Tensor out = cog_attention(at::stack({q, k, v}, 2), {.scale = 1});
  EXPECT_NEAR(out.flatten()[0].item<double>(), weight, 1e-12);
  EXPECT_NEAR(out.flatten()[1].item<double>(), -weight, 1e-12);
  // A query of zeros attends to nothing, unlike softmax, which averages.
  EXPECT_EQ(cog_attention(at::stack({q * 0, k, v}, 2), {.scale = 1}).abs().max().item<double>(), 0);
  EXPECT_NEAR(softmax_attention(at::stack({q * 0, k, v}, 2), {.scale = 1}).flatten()[0].item<double>(), 5.5, 1e-12);
}

TEST(CogAttention, NegatedScoresNegateTheResult) {
  Inputs in = random_inputs(9, at::kDouble);
  const Tensor out = cog_attention(in.qkv, {.scale = 1});
  in.qkv.select(2, 0).neg_();
  EXPECT_TRUE(at::allclose(cog_attention(in.qkv, {.scale = 1}), -out));
}

TEST(CogAttention, StaysFiniteForLargeScores) {
  Inputs in = random_inputs(9, at::kFloat);
  in.qkv.select(2, 0).mul_(1e4);
  for (const Tensor& each : values_and_gradients(cog_attention, in, {.scale = 1}))
    EXPECT_TRUE(at::isfinite(each).all().item<bool>());
}

TEST(AttentionKinds, FusedAndReferenceObeyTheCausalOrderAndTheLengths) {
  for (const auto& kind : attention_kinds())
    for (const bool fused : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {}", kind.name, fused ? "fused" : "reference"));
      const auto attend = [&](const Tensor& qkv, const AttendOptions& options) {
        return fused ? fused_attention(kind.value, qkv, options) : kind.value.reference(qkv, options);
      };
      const Tensor qkv = at::randn({2, 5, 3, 4, 8});
      Tensor changed = qkv.clone();
      changed.select(2, 1).select(1, 4).add_(1);  // the last key
      const auto early = [](const Tensor& out) { return out.narrow(1, 0, 4); };
      const AttendOptions causal{.scale = 0.5, .keys = {.causal = true}};
      const Tensor before = attend(qkv, causal), after = attend(changed, causal);
      EXPECT_EQ(before.sizes(), at::IntArrayRef({2, 5, 4, 8}));
      EXPECT_TRUE(before.is_contiguous());
      EXPECT_TRUE(at::equal(early(before), early(after)));
      EXPECT_FALSE(at::equal(before, after));
      const AttendOptions shorter{.scale = 0.5, .keys = {.lengths = at::tensor({4, 5}, at::kLong)}};
      EXPECT_TRUE(at::equal(attend(qkv, shorter)[0], attend(changed, shorter)[0]));
      EXPECT_FALSE(at::equal(attend(qkv, shorter)[1], attend(changed, shorter)[1]));
    }
}

// So that a new row is right once its weights are.
TEST(AttentionKinds, FusedAndReferenceAreTheSumsOfValuesByTheWeights) {
  const Inputs in = random_inputs(17, at::kDouble);
  const auto part = [&](int64_t which) { return in.qkv.select(2, which).transpose(1, 2); };
  const Tensor scores = at::matmul(part(0), part(1).transpose(-2, -1)) * 0.35;
  for (const auto& [name, kind, summary] : attention_kinds()) {
    const Tensor sums = at::matmul(kind.weights(scores), part(2)).transpose(1, 2);
    const AttendOptions options{.scale = 0.35};
    EXPECT_TRUE(at::allclose(kind.reference(in.qkv, options), sums, 1e-10, 1e-12)) << name;
    EXPECT_TRUE(at::allclose(fused_attention(kind, in.qkv, options), sums, 1e-10, 1e-12)) << name;
    const Tensor single = fused_attention(kind, in.qkv.to(at::kFloat), options).to(at::kDouble);
    EXPECT_TRUE(at::allclose(single, sums, 1e-3, 1e-5)) << name;
    EXPECT_FALSE(at::equal(single, sums)) << name;
  }
}

}  // namespace
}  // namespace uvic::attention_test
