#include "train/muon.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace uvic::muon_test {
namespace {

Tensor random(at::IntArrayRef shape, int64_t index) {
  at::Generator generator = make_generator(1, Stream::kNoise, static_cast<uint64_t>(index));
  return at::randn(shape, generator, at::kFloat);
}

TEST(Muon, SingularValuesBecomeAlikeAndSingularVectorsStay) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{24, 24}, {16, 40}, {40, 16}}) {
    const Tensor matrices = random({2, rows, cols}, rows);
    const Tensor result = orthogonalize(matrices);
    ASSERT_EQ(result.sizes(), matrices.sizes());
    const auto [u, s, vh] = at::linalg_svd(matrices, /*full_matrices=*/false);
    const Tensor inside = at::bmm(at::bmm(u.transpose(1, 2), result), vh.transpose(1, 2));
    const Tensor values = at::diagonal(inside, 0, 1, 2);
    const Tensor large = s > 0.05 * s.amax(1, true);
    EXPECT_GT(values.masked_select(large).min().item<double>(), 0.6) << rows << " x " << cols;
    EXPECT_LT(values.max().item<double>(), 1.25);
    EXPECT_LT((inside - at::diag_embed(values)).abs().max().item<double>(), 1e-4);
  }
}

TEST(Muon, IterationsFollowTheScalarPolynomial) {
  // On a diagonal matrix every entry goes its own way: f(x) = a x + b x^3 + c x^5.
  const Tensor result = orthogonalize(at::diag(at::tensor({3.0, 4.0}, at::kDouble)).unsqueeze(0));
  for (int64_t i : {0, 1}) {
    double x = (i == 0 ? 3.0 : 4.0) / 5.0;
    for (int k = 0; k < 5; ++k) x = 3.4445 * x - 4.7750 * std::pow(x, 3) + 2.0315 * std::pow(x, 5);
    EXPECT_NEAR(result[0][i][i].item<double>(), x, 1e-5);
  }
}

TEST(Muon, BlockMatricesStepByTheOrthogonalMomentumAndTheRestByAdamW) {
  const Tensor w = random({6, 4}, 0).requires_grad_(), bias = random({6}, 1).requires_grad_(),
               head = random({6, 4}, 2).requires_grad_(), same = head.detach().clone().requires_grad_();
  const AdamWConfig config{.weight_decay = 0.1};
  const double lr = 0.01;
  Muon muon({{"w", w, Role::kBlockMatrix}, {"bias", bias, Role::kBias}, {"block.head", head, Role::kMatrix}}, config,
            at::kFloat);
  AdamW adamw({{"block.head", same, Role::kMatrix}}, config);
  Tensor expected = w.detach().clone(), momentum = at::zeros({6, 4});
  for (int64_t step = 0; step < 3; ++step) {
    const Tensor g = random({6, 4}, 10 + step);
    w.mutable_grad() = g.clone();
    bias.mutable_grad() = at::ones({6});
    head.mutable_grad() = g.clone();
    same.mutable_grad() = g.clone();
    muon.step(lr);
    adamw.step(lr);
    momentum = 0.95 * momentum + g;
    expected =
        (1 - lr * 0.1) * expected - lr * 0.2 * std::sqrt(6.0) * orthogonalize((g + 0.95 * momentum).unsqueeze(0))[0];
    EXPECT_LT((w.detach() - expected).abs().max().item<double>(), 1e-6) << "step " << step;
  }
  EXPECT_TRUE(at::equal(head, same));
}

TEST(Muon, SavedStateGoesOnBitForBit) {
  const auto parameters = [] {
    Parameters list;  // two of one shape with another between them
    for (int64_t i = 0; i < 3; ++i)
      list.push_back({fmt::format("w{}", i), random({i == 1 ? 5 : 3, 3}, i).requires_grad_(), Role::kBlockMatrix});
    list.push_back({"bias", random({3}, 3).requires_grad_(), Role::kBias});
    return list;
  };
  const auto run = [](Muon& optimizer, const Parameters& list, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      for (const auto& [name, p, role] : list) Tensor(p).mutable_grad() = random(p.sizes(), 100 + i) + p.detach();
      optimizer.step(0.05);
    }
  };
  const Parameters whole = parameters(), part = parameters();
  Muon straight(whole, {}, at::kBFloat16), first(part, {}, at::kBFloat16), second(part, {}, at::kBFloat16);
  run(straight, whole, 0, 6);
  run(first, part, 0, 3);
  TensorMap state;
  for (const auto& [name, tensor] : first.state()) state[name] = tensor.clone();
  second.load_state(state, "state");
  run(second, part, 3, 6);
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(at::equal(whole[i].tensor, part[i].tensor)) << whole[i].name;
}

TEST(Muon, MayHaveAllParametersToItself) {
  const Tensor w = random({3, 2}, 0).requires_grad_(), before = w.detach().clone();
  Muon muon({{"w", w, Role::kBlockMatrix}}, {}, at::kFloat);
  Tensor(w).mutable_grad() = random({3, 2}, 1);
  muon.step(0.1);
  EXPECT_FALSE(at::equal(w, before));
  ASSERT_EQ(muon.state().size(), 1u);
  muon.load_state(muon.state(), "state");
}

TEST(Muon, RefusesTheStateOfAnotherOptimizer) {
  const Tensor w = random({2, 2}, 0).requires_grad_(), bias = random({2}, 1).requires_grad_();
  const Parameters list{{"w", w, Role::kBlockMatrix}, {"bias", bias, Role::kBias}};
  Muon muon(list, {}, at::kFloat);
  try {
    muon.load_state(AdamW(list, {}).state(), "optimizer.safetensors");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("momentum.w"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace uvic::muon_test
