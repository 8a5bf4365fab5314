#include "transformer/lora.h"

#include <gtest/gtest.h>

#include "core/autocast.h"
#include "core/random.h"
#include "tests/temporary.h"

namespace uvic::lora_test {
namespace {

// A linear layer [out 3, in 5], a table and a norm.
Parameters network(MatrixLayout layout) {
  at::Generator generator = make_generator(1, Stream::kInit);
  const bool linear = layout == MatrixLayout::kOutIn;
  return {
      {linear ? "layer.weight" : "layer", at::randn({linear ? 3 : 5, linear ? 5 : 3}, generator), Role::kBlockMatrix},
      {"table", at::randn({4, 2}, generator), Role::kEmbedding},
      {"norm.weight", at::ones({5}), Role::kNorm}};
}

class LoraLayouts : public ::testing::TestWithParam<MatrixLayout> {};
INSTANTIATE_TEST_SUITE_P(All, LoraLayouts, ::testing::Values(MatrixLayout::kOutIn, MatrixLayout::kInOut));

TEST_P(LoraLayouts, BeginAsTheNetworkItself) {
  const Parameters net = network(GetParam());
  const Adapters adapters(net, {.rank = 2, .alpha = 4}, 7, GetParam());
  const TensorMap weights = adapters.weights();
  for (const Parameter& p : net) EXPECT_TRUE(at::equal(weights.at(p.name), p.tensor)) << p.name;

  const bool linear = GetParam() == MatrixLayout::kOutIn;
  const TensorMap own = to_map(adapters.parameters());
  ASSERT_EQ(own.size(), 2u);
  const Tensor a = own.at(linear ? "layer.lora_A.weight" : "layer.lora_a");
  const Tensor b = own.at(linear ? "layer.lora_B.weight" : "layer.lora_b");
  EXPECT_EQ(a.sizes(), linear ? at::IntArrayRef({2, 5}) : at::IntArrayRef({5, 2}));
  EXPECT_EQ(b.sizes(), linear ? at::IntArrayRef({3, 2}) : at::IntArrayRef({2, 3}));
  EXPECT_EQ(b.count_nonzero().item<int64_t>(), 0);
  EXPECT_GT(a.abs().min().item<double>(), 0);
  EXPECT_LE(a.abs().max().item<double>(), 1 / std::sqrt(5.0));
}

TEST_P(LoraLayouts, DrawsFromItsSeedAlone) {
  const auto first = [&](uint64_t seed) {
    TensorMap all = to_map(Adapters(network(GetParam()), {.rank = 2}, seed, GetParam()).parameters());
    return at::cat({all.begin()->second.flatten(), all.rbegin()->second.flatten()});
  };
  EXPECT_TRUE(at::equal(first(1), first(1)));
  EXPECT_FALSE(at::equal(first(1), first(2)));
}

TEST_P(LoraLayouts, SumWhatTheyAre) {
  const Parameters net = network(GetParam());
  const Adapters adapters(net, {.rank = 1, .alpha = 0.5}, 7, GetParam());
  TensorMap values;
  for (const Parameter& p : adapters.parameters()) values[p.name] = at::full_like(p.tensor, 2);
  const TensorMap weights = adapters.weights(values);
  EXPECT_TRUE(at::equal(weights.at(net[0].name), net[0].tensor + 2));  // 2 x 2 x 0.5

  // Of a file, twice, and half: the sum of all.
  Parameters other;
  for (const Parameter& p : net) other.push_back({p.name, p.tensor.clone(), p.role});
  const auto alpha = [](int64_t) { return 0.5; };
  for (const double strength : {1.0, 1.0, 0.5}) add_adapters(other, values, alpha, strength, "file");
  EXPECT_TRUE(at::allclose(other[0].tensor, net[0].tensor + 5));
  EXPECT_TRUE(at::equal(other[1].tensor, net[1].tensor));
}

TEST_P(LoraLayouts, OnlyTheyGetGradients) {
  const Parameters net = network(GetParam());
  const Adapters adapters(net, {.rank = 2}, 7, GetParam());
  for (const Parameter& p : adapters.parameters()) p.tensor.set_requires_grad(true);
  adapters.weights().at(net[0].name).square().sum().backward();
  int64_t moved = 0;  // by the first step just what was zero moves
  for (const Parameter& p : adapters.parameters()) moved += p.tensor.grad().abs().max().item<double>() > 0;
  EXPECT_EQ(moved, 1);
  for (const Parameter& p : net) EXPECT_FALSE(p.tensor.grad().defined());
}

TEST(Lora, AFeedbackMemoryIsTrainedAsAWhole) {
  Parameters net = network(MatrixLayout::kInOut);
  net.push_back({"fam_embedding", at::ones({2, 5}), Role::kToken});
  net.push_back({"pos_embed", at::ones({2, 5}), Role::kToken});
  const Adapters adapters(net, {.rank = 1}, 0, MatrixLayout::kInOut);
  EXPECT_EQ(to_map(adapters.parameters()).count("fam_embedding"), 1u);
  EXPECT_EQ(adapters.parameters().size(), 3u);
  TensorMap values = to_map(adapters.parameters());
  EXPECT_FALSE(values.at("fam_embedding").is_same(net[3].tensor));  // the network's own stays
  values["fam_embedding"] = at::full({2, 5}, 3.0f);
  EXPECT_TRUE(at::equal(adapters.weights(values).at("fam_embedding"), at::full({2, 5}, 3.0f)));
  add_adapters(
      net, values, [](int64_t) { return 1; }, 0.5, "file");
  EXPECT_TRUE(at::equal(net[3].tensor, at::full({2, 5}, 2.0f)));
}

TEST(Lora, RanksMustFit) {
  for (const int64_t rank : {0, -1, 4})
    expect_mentions(error_of([&] { Adapters(network(MatrixLayout::kOutIn), {.rank = rank}, 0, MatrixLayout::kOutIn); }),
                    {"lora.rank", std::to_string(rank), "1 to 3", "layer.weight", "[3, 5]"});
}

TEST(Lora, SumsAreExactUnderAutocast) {
  const Tensor left = at::full({4, 1}, 1 + 0x1p-20), right = at::ones({1, 4});
  const Tensor exact = with_lora(at::zeros({4, 4}), left, right, 1);
  const Autocast autocast(at::kCPU, at::kBFloat16);
  EXPECT_TRUE(at::equal(with_lora(at::zeros({4, 4}), left, right, 1), exact));
  EXPECT_EQ(exact[0][0].item<float>(), 1 + 0x1p-20f);
}

TEST(Lora, FilesOfAnotherModelAreRefusedAndChangeNothing) {
  const Parameters net = network(MatrixLayout::kOutIn);
  const Tensor before = net[0].tensor.clone();
  const std::string a = "layer.lora_A.weight", b = "layer.lora_B.weight";
  const auto error = [&](const TensorMap& file) {
    return error_of([&] {
      add_adapters(
          net, file, [](int64_t) { return 1; }, 1, "x.safetensors");
    });
  };
  expect_mentions(error({{a, at::ones({2, 5})}}), {"x.safetensors", "damaged", a, b});
  expect_mentions(error({{b, at::ones({3, 2})}}), {"x.safetensors", "damaged", a, b});
  expect_mentions(error({{a, at::ones({2, 6})}, {b, at::ones({3, 2})}}), {"another model", "[3, 5]", "[2, 6]"});
  expect_mentions(error({{a, at::ones({2, 5})}, {b, at::ones({3, 1})}}), {"another model", "[3, 1]", "[2, 5]"});
  expect_mentions(error({{a, at::ones({5})}, {b, at::ones({3})}}), {"another model"});
  expect_mentions(error({{a, at::ones({0, 5})}, {b, at::ones({3, 0})}}), {"another model"});
  expect_mentions(error({{"norm.lora_A.weight", at::ones({1, 5})}, {"norm.lora_B.weight", at::ones({5, 1})}}),
                  {"another model", "norm.weight"});
  expect_mentions(error({{a, at::ones({2, 5})}, {b, at::ones({3, 2})}, {"z.weight", at::ones({3})}}), {"no z.weight"});
  expect_mentions(error({{a, at::ones({2, 5})}, {b, at::full({3, 2}, NAN)}}), {"non-finite"});
  expect_mentions(error({{a, at::ones({2, 5}, at::kInt)}, {b, at::ones({3, 2})}}), {"Int"});
  const TensorMap good{{a, at::ones({2, 5})}, {b, at::ones({3, 2})}};
  expect_mentions(error_of([&] {
                    add_adapters(
                        net, good, [](int64_t) { return 1; }, 1e300, "x");
                  }),
                  {"x", "infinite"});
  EXPECT_TRUE(at::equal(net[0].tensor, before));
  EXPECT_TRUE(are_adapters({{a, before}}));
  EXPECT_FALSE(are_adapters(to_map(net)));
}

}  // namespace
}  // namespace uvic::lora_test
