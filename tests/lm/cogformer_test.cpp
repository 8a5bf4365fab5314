#include "lm/cogformer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/autocast.h"
#include "lm/rotary.h"
#include "tests/lm/small_cogformer.h"

namespace uvic::cogformer_test {
namespace {

TEST(Cogformer, HasTheOriginalsParameters) {
  const CogformerConfig config = small_cogformer();
  int64_t count = 0;
  std::set<std::string> names;
  for (const auto& [name, tensor, role] : Cogformer(config).parameters()) count += tensor.numel(), names.insert(name);
  const int64_t width = config.heads * config.head_dim;
  const int64_t layer = 4 * config.dim * width + 3 * config.dim * config.hidden + 2 * config.dim;
  EXPECT_EQ(count, config.layers * layer + 2 * config.vocabulary * config.dim + config.dim);
  for (const char* name :
       {"embedding.weight", "layers.2.attention.qw", "layers.0.ffn.shared_experts.0.pw",
        "layers.1.attention_norm.weight", "layers.1.ffn_norm.weight", "norm.weight", "output.weight"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Cogformer, BeginsNearTheEntropyOfGuessing) {
  const Cogformer net(small_cogformer());
  const Tensor tokens = some_tokens(40);
  const double loss = next_token_loss(net(tokens, causal_keys(40, 40)), tokens).item<double>();
  EXPECT_NEAR(loss, std::log(50), 0.05);
}

TEST(Cogformer, AnySplitGivesTheLogitsOfTheWhole) {
  const at::NoGradGuard no_grad;
  const Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(20), want = net(tokens, causal_keys(20, 20));
  for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{20}, {1, 3, 1, 15}, {19, 1}}) {
    Cogformer::Cache cache;
    const Tensor got = in_pieces(tokens, lengths, [&](const Tensor& piece, int64_t begin) {
      return net.next(piece, causal_keys(piece.size(1), begin + piece.size(1)), cache);
    });
    EXPECT_TRUE(at::allclose(got, want, 1e-4, 1e-5));
    EXPECT_EQ(cache.length, 20);
  }
}

TEST(Cogformer, EarlierLogitsDoNotKnowLaterTokens) {
  const at::NoGradGuard no_grad;
  const Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(20);
  Tensor changed = tokens.clone();
  changed.select(1, 12).fill_(49);
  const Tensor a = net(tokens, causal_keys(20, 20)), b = net(changed, causal_keys(20, 20));
  EXPECT_TRUE(at::equal(a.narrow(1, 0, 12), b.narrow(1, 0, 12)));
  EXPECT_FALSE(at::equal(a.narrow(1, 12, 8), b.narrow(1, 12, 8)));
}

TEST(Cogformer, DocumentsAreReadAlone) {
  const at::NoGradGuard no_grad;
  const Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(20);
  Tensor begins = at::zeros({2, 20}, at::kBool);
  begins.select(1, 8).fill_(true);
  const Tensor packed = net(tokens, document_keys(begins));
  EXPECT_TRUE(at::allclose(packed.narrow(1, 0, 8), net(tokens.narrow(1, 0, 8), causal_keys(8, 8)), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(packed.narrow(1, 8, 12), net(tokens.narrow(1, 8, 12), causal_keys(12, 12)), 1e-4, 1e-5));
}

TEST(Cogformer, MultipliesInBfloat16) {
  const at::NoGradGuard no_grad;
  Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(20), want = net(tokens, causal_keys(20, 20));
  const auto near = [&](const Tensor& got) {
    return ((got.to(at::kFloat) - want).norm() / want.norm()).item<double>() < 0.05;
  };
  {
    const Autocast autocast(at::kCPU, at::kBFloat16);
    EXPECT_TRUE(near(net(tokens, causal_keys(20, 20))));
  }
  net.to(at::kCPU, at::kBFloat16);
  EXPECT_TRUE(near(net(tokens, causal_keys(20, 20))));
}

TEST(Rotary, ScoresKnowDifferencesOfPositionsAlone) {
  const at::TensorOptions options(at::kDouble);
  const Tensor q = at::randn({1, 4, 2, 16}, make_generator(1, Stream::kNoise), at::kDouble);
  const Tensor k = at::randn({1, 4, 2, 16}, make_generator(2, Stream::kNoise), at::kDouble);
  const auto scores = [&](int64_t q_first, int64_t k_first) {
    return (rotate(q, rotation(q_first, 4, 16, options)) * rotate(k, rotation(k_first, 4, 16, options))).sum(-1);
  };
  EXPECT_TRUE(at::allclose(scores(7, 3), scores(100'007, 100'003), 1e-9, 1e-9));
  EXPECT_TRUE(at::allclose(scores(0, -4), scores(4, 0), 1e-12, 1e-12));
  EXPECT_FALSE(at::allclose(scores(7, 3), scores(7, 4), 1e-3, 1e-3));
}

TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  const RmsNorm norm{at::tensor({1.0f, 2.0f}), 0};
  EXPECT_TRUE(at::allclose(norm(at::tensor({3.0f, 4.0f})), at::tensor({3.0f, 8.0f}) / std::sqrt(12.5)));
}

TEST(NextTokenLoss, CountsWhatItIsTold) {
  const Tensor tokens = at::tensor({0, 1, 2}, at::kLong).unsqueeze(0);
  Tensor logits = at::zeros({1, 3, 4});
  logits[0][0][1] = 100;  // the first guess is right, the second knows nothing
  EXPECT_NEAR(next_token_loss(logits, tokens).item<double>(), std::log(4) / 2, 1e-6);
  const Tensor counted = at::tensor({1, 0, 1}, at::kLong).to(at::kBool).unsqueeze(0);
  EXPECT_NEAR(next_token_loss(logits, tokens, counted).item<double>(), std::log(4), 1e-6);
}

}  // namespace
}  // namespace uvic::cogformer_test
