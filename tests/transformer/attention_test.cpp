#include "transformer/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "tests/transformer/attention_definition.h"
#include "tests/transformer/attention_problem.h"

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
  const Tensor out = attend(unpack(qkv), options);
  out.backward(in.d_out);
  return {out.detach(), qkv.grad()};
}

TEST(CogAttention, EqualsItsDefinitionForwardAndBackward) {
  for (const bool causal : {false, true})
    for (const int64_t length : {1, 2, 17, 40}) {
      const Inputs in = random_inputs(length, at::kDouble);
      const AttendOptions options{.scale = 0.35, .keys = causal ? causal_keys(length, length) : VisibleKeys()};
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
  const Tensor out = cog_attention({q, k, v}, {.scale = 1});
  EXPECT_NEAR(out.flatten()[0].item<double>(), weight, 1e-12);
  EXPECT_NEAR(out.flatten()[1].item<double>(), -weight, 1e-12);
  // A query of zeros attends to nothing, unlike softmax, which averages.
  EXPECT_EQ(cog_attention({q * 0, k, v}, {.scale = 1}).abs().max().item<double>(), 0);
  EXPECT_NEAR(softmax_attention({q * 0, k, v}, {.scale = 1}).flatten()[0].item<double>(), 5.5, 1e-12);
}

TEST(CogAttention, NegatedScoresNegateTheResult) {
  Inputs in = random_inputs(9, at::kDouble);
  const Tensor out = cog_attention(unpack(in.qkv), {.scale = 1});
  in.qkv.select(2, 0).neg_();
  EXPECT_TRUE(at::allclose(cog_attention(unpack(in.qkv), {.scale = 1}), -out));
}

TEST(CogAttention, StaysFiniteForLargeScores) {
  Inputs in = random_inputs(9, at::kFloat);
  in.qkv.select(2, 0).mul_(1e4);
  for (const Tensor& each : values_and_gradients(cog_attention, in, {.scale = 1}))
    EXPECT_TRUE(at::isfinite(each).all().item<bool>());
}

// Every kind under every mask, by its reference in float64 and float32 and fused, against the dense sum.
TEST(AttentionKinds, FusedAndReferenceSeeTheVisibleKeysAlone) {
  for (const auto& [name, kind, summary] : attention_kinds())
    for (const int64_t queries : {3, 17})
      for (const auto& [mask, keys] : all_masks(queries, 17)) {
        SCOPED_TRACE(fmt::format("{}, {} queries, {}", name, queries, mask));
        const Qkv all = unpack(random_inputs(17, at::kDouble).qkv);
        const Qkv in{all.q.narrow(1, 17 - queries, queries), all.k, all.v};
        const AttendOptions options{.scale = 0.35, .keys = keys};
        const Tensor hidden = hidden_by_definition(keys, scores_by_definition(in, options));
        // A hidden key is one that is far away.
        const Tensor scores = scores_by_definition(in, options).masked_fill(hidden, 0);
        const Tensor shares = (std::string_view(name) == "cog" ? scores.abs() : scores).exp().masked_fill(hidden, 0);
        const Tensor weights = shares / shares.sum(-1, true).clamp_min(1e-30) *
                               (std::string_view(name) == "cog" ? scores.sign() : at::ones_like(scores));
        const Tensor want = at::matmul(weights, in.v.transpose(1, 2)).transpose(1, 2);
        EXPECT_TRUE(at::allclose(kind.reference(in, options), want, 1e-10, 1e-12));
        EXPECT_TRUE(at::allclose(fused_attention(kind, in, options), want, 1e-10, 1e-12));
        const Qkv single{in.q.to(at::kFloat), in.k.to(at::kFloat), in.v.to(at::kFloat)};
        EXPECT_TRUE(at::allclose(fused_attention(kind, single, options).to(at::kDouble), want, 1e-3, 1e-5));
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
    EXPECT_TRUE(at::allclose(kind.reference(unpack(in.qkv), options), sums, 1e-10, 1e-12)) << name;
    EXPECT_TRUE(at::allclose(fused_attention(kind, unpack(in.qkv), options), sums, 1e-10, 1e-12)) << name;
    const Tensor single = fused_attention(kind, unpack(in.qkv.to(at::kFloat)), options).to(at::kDouble);
    EXPECT_TRUE(at::allclose(single, sums, 1e-3, 1e-5)) << name;
    EXPECT_FALSE(at::equal(single, sums)) << name;
  }
}

}  // namespace
}  // namespace uvic::attention_test
