#include "unet_vit/uvit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "core/autocast.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/temporary.h"
#include "tests/unet_vit/small_uvit.h"

namespace uvic::uvit_test {
namespace {

Tensor draw(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = make_generator(seed, Stream::kNoise);
  return at::randn(shape, generator, at::kFloat);
}

Tensor run(const UVitConfig& config, const Condition& condition = {}) {
  const UVit net(config, 1);
  return net(draw({2, config.channels, config.image_size, config.image_size}, 5), at::tensor({10.0, 700.5}), condition);
}

TEST(UVit, SizesHaveThePapersParameterCounts) {
  // Table 1 of arXiv 2209.12152 at the paper's CIFAR-10 (S/2) and latent (patch 2 of 4 x 32 x 32) settings.
  const std::pair<const char*, double> published[] = {{"S", 44e6}, {"S-deep", 58e6}, {"M", 131e6}, {"L", 287e6}};
  for (const auto& [size, count] : published) {
    UVitConfig config;
    config.size = size;
    EXPECT_NEAR(static_cast<double>(count_parameters(UVit(config).parameters())) / count, 1, 0.015) << size;
  }
}

TEST(UVit, ParametersAreCountedWithoutMakingThem) {
  UVitConfig plain{.size = "nano", .depth = 3, .dim = 24, .heads = 2, .image_size = 8, .mlp_ratio = 2.5};
  std::vector<UVitConfig> configs = {plain};
  const auto vary = [&](const std::function<void(UVitConfig&)>& change) { change(configs.emplace_back(plain)); };
  vary([](UVitConfig& c) { c.classes = 7; });
  vary([](UVitConfig& c) { c.context_tokens = 5, c.context_dim = 11; });
  vary([](UVitConfig& c) { c.context_tokens = 5, c.vocabulary = 13; });
  vary([](UVitConfig& c) { c.mlp_time_embed = c.qkv_bias = true; });
  vary([](UVitConfig& c) { c.conv = c.skip = false; });
  vary([](UVitConfig& c) { c.patch = 4, c.channels = 5, c.depth = 6; });
  vary([](UVitConfig& c) { c.memory = "bswa"; });
  vary([](UVitConfig& c) { c.memory = "fam", c.fam_length = 7; });
  for (const UVitConfig& config : configs)
    EXPECT_EQ(parameter_count(resolve(config)), count_parameters(UVit(config).parameters()));
}

TEST(UVit, ImpossibleSizesAreRefusedBeforeAnythingIsMade) {
  const auto error = [](const std::function<void(UVitConfig&)>& change) {
    UVitConfig config;
    change(config);
    return error_of([&] { UVit{config}; });
  };
  expect_mentions(error([](UVitConfig& c) { c.depth = 1'000'000'000; }), {"model.depth = 1000000000", "at most 1000"});
  expect_mentions(error([](UVitConfig& c) { c.dim = c.heads = int64_t{1} << 40; }), {"model.dim", "at most"});
  expect_mentions(error([](UVitConfig& c) { c.image_size = 1 << 30; }), {"model.image_size", "at most"});
  expect_mentions(error([](UVitConfig& c) { c.context_tokens = 1 << 30; }), {"model.context_tokens", "at most"});
  expect_mentions(error([](UVitConfig& c) { c.mlp_ratio = 1e300; }), {"model.mlp_ratio", "at most 64"});
  expect_mentions(error([](UVitConfig& c) { c.mlp_ratio = std::nan(""); }), {"model.mlp_ratio"});
  // Possible, but not with these weights, which show the same bytes again and again.
  const Tensor bytes = at::zeros({100});
  const TensorMap weights = {{"a", bytes.expand({50, 100})}, {"b", bytes}};
  expect_mentions(error_of([&] { expect_enough(401, weights, "x.pth"); }), {"x.pth", "401 parameters", "400 bytes"});
  EXPECT_NO_THROW(expect_enough(400, weights, "x.pth"));
}

TEST(UVit, SmallSizesAreAsTheirSummariesSay) {
  for (const auto& entry : uvit_sizes().first(3)) {
    UVitConfig config;
    config.size = std::string(entry.name);
    const double millions = static_cast<double>(count_parameters(UVit(config).parameters())) / 1e6;
    EXPECT_NEAR(std::stod(std::string(entry.summary)), millions, 0.06) << entry.name;
  }
}

TEST(UVit, EveryOptionChangesTheResult) {
  const Tensor plain = run(small_uvit());
  const auto differs = [&](const char* what, const std::function<void(UVitConfig&)>& change) {
    UVitConfig config = small_uvit();
    change(config);
    const Tensor other = run(config);
    EXPECT_EQ(other.sizes(), plain.sizes()) << what;
    EXPECT_FALSE(at::allclose(other, plain)) << what;
  };
  differs("attention", [](UVitConfig& c) { c.attention = "softmax"; });
  differs("end_attention", [](UVitConfig& c) { c.end_attention = "cog"; });
  differs("conv", [](UVitConfig& c) { c.conv = false; });
  differs("skip", [](UVitConfig& c) { c.skip = false; });
  differs("patch", [](UVitConfig& c) { c.patch = 4; });
  differs("mlp_ratio", [](UVitConfig& c) { c.mlp_ratio = 2; });
  differs("mlp_time_embed", [](UVitConfig& c) { c.mlp_time_embed = true; });
  differs("heads", [](UVitConfig& c) { c.heads = 4; });
  differs("memory", [](UVitConfig& c) { c.memory = "bswa", c.block = 4; });
  UVitConfig biased = small_uvit();
  biased.qkv_bias = true;
  EXPECT_GT(count_parameters(UVit(biased).parameters()), count_parameters(UVit(small_uvit()).parameters()));
}

TEST(UVit, EveryOptionOfMemoryChangesTheResult) {
  UVitConfig config = small_uvit();
  config.memory = "fam", config.block = 3, config.fam_length = 2;
  const Tensor fam = run(config);
  const auto differs = [&](const char* what, const std::function<void(UVitConfig&)>& change) {
    UVitConfig changed = config;
    change(changed);
    EXPECT_FALSE(at::allclose(run(changed), fam)) << what;
  };
  differs("memory", [](UVitConfig& c) { c.memory = "bswa"; });
  differs("block", [](UVitConfig& c) { c.block = 4; });
  differs("segments", [](UVitConfig& c) { c.segments = 2; });
  differs("window", [](UVitConfig& c) { c.window = "past"; });
  differs("fam_length", [](UVitConfig& c) { c.fam_length = 3; });
}

TEST(UVit, KernelsChangeTheResultWithinRounding) {
  UVitConfig fused = small_uvit();
  fused.dim = 32;
  UVitConfig reference = fused;
  reference.kernels = "reference";
  EXPECT_TRUE(at::allclose(run(fused), run(reference), 1e-4, 1e-5));
  EXPECT_FALSE(at::equal(run(fused), run(reference)));
}

TEST(UVit, MatricesStoredInBf16GiveWhatConvertedOnesGive) {
  for (const char* kernels : {"fused", "reference"}) {
    UVitConfig config = small_uvit();
    config.kernels = kernels;
    config.attention = "softmax";  // Cog's signs flip where scores are near 0, which is no matter of rounding
    const Tensor exact = run(config);
    UVit net(config, 1), stored(config, 1);
    stored.store_matrices(at::kBFloat16);
    const Tensor x = draw({2, 3, 8, 8}, 5), t = at::tensor({10.0, 700.5});
    const at::NoGradGuard no_grad;
    const Autocast autocast(at::kCPU, at::kBFloat16);
    const Tensor converted = net(x, t);
    EXPECT_TRUE(at::equal(stored(x, t), converted)) << kernels;
    EXPECT_LT((converted.to(at::kFloat) - exact).abs().max().item<double>(), 0.02) << kernels;
    EXPECT_GT((converted.to(at::kFloat) - exact).abs().max().item<double>(), 0) << kernels;
  }
}

TEST(UVit, CogOnlyInsideUnlessAsked) {
  // depth 2 has one block on each side: all but the middle one use end_attention.
  UVitConfig config = small_uvit();
  config.depth = 2;
  const auto with = [&](const char* attention, const char* end) {
    config.attention = attention;
    config.end_attention = end;
    return run(config);
  };
  EXPECT_FALSE(at::equal(with("cog", "softmax"), with("softmax", "softmax")));
  EXPECT_FALSE(at::equal(with("cog", "softmax"), with("cog", "cog")));
}

TEST(UVit, ClassesAndTextMatter) {
  UVitConfig classes = small_uvit();
  classes.classes = 3;
  const auto label = [&](int64_t a, int64_t b) { return run(classes, {.label = at::tensor({a, b}), .context = {}}); };
  EXPECT_FALSE(at::allclose(label(0, 1)[0], label(2, 1)[0]));
  EXPECT_TRUE(at::equal(label(0, 1)[1], label(2, 1)[1]));  // each image sees its own label only
  EXPECT_EQ(label(3, 3).size(0), 2);                       // the null class

  UVitConfig text = small_uvit();
  text.context_tokens = 4;
  text.context_dim = 6;
  text.vocabulary = 9;
  const auto words = [&](int64_t word) {
    return run(text, {.label = {}, .context = at::full({2, 4}, word, at::kLong)});
  };
  EXPECT_FALSE(at::allclose(words(1), words(2)));
  text.vocabulary = 0;  // states instead of word ids
  EXPECT_FALSE(at::allclose(run(text, {.label = {}, .context = draw({2, 4, 6}, 1)}),
                            run(text, {.label = {}, .context = draw({2, 4, 6}, 2)})));
}

TEST(UVit, SeedDecidesTheInitialWeights) {
  const auto first = [](uint64_t seed) { return UVit(small_uvit(), seed).parameters().front().tensor; };
  EXPECT_TRUE(at::equal(first(1), first(1)));
  EXPECT_FALSE(at::equal(first(1), first(2)));
  UVitConfig wide = small_uvit();
  wide.dim = 256;
  const TensorMap weights = to_map(UVit(wide, 0).parameters());
  EXPECT_NEAR(weights.at("mid_block.attn.qkv.weight").std().item<double>(), 0.02, 5e-4);
  EXPECT_EQ(weights.at("mid_block.mlp.fc1.bias").abs().max().item<double>(), 0);
  EXPECT_EQ(weights.at("norm.weight").min().item<double>(), 1);
}

TEST(UVit, EveryParameterHasItsRole) {
  UVitConfig config = small_uvit();
  config.context_tokens = 4;
  config.vocabulary = 9;
  config.mlp_time_embed = true;
  const auto with_role = [](const UVitConfig& config, Role role) {
    std::set<std::string> names;
    for (const Parameter& p : UVit(config).parameters())
      if (p.role == role) names.insert(p.name);
    return names;
  };
  const std::set<std::string> matrices = with_role(config, Role::kBlockMatrix);
  EXPECT_EQ(matrices.size(), 5 * 4 + 2);  // in five blocks, of which two have a skip
  EXPECT_TRUE(matrices.contains("mid_block.attn.qkv.weight") && matrices.contains("out_blocks.1.skip_linear.weight"));
  EXPECT_EQ(with_role(config, Role::kMatrix), (std::set<std::string>{"time_embed.0.weight", "time_embed.2.weight",
                                                                     "context_embed.weight", "decoder_pred.weight"}));
  EXPECT_EQ(with_role(config, Role::kConvolution),
            (std::set<std::string>{"patch_embed.proj.weight", "final_layer.weight"}));
  EXPECT_EQ(with_role(config, Role::kEmbedding), std::set<std::string>{"text_embed.weight"});
  EXPECT_EQ(with_role(config, Role::kToken), std::set<std::string>{"pos_embed"});
  EXPECT_EQ(with_role(config, Role::kNorm).size(), 5 * 2 + 1);
  for (const std::string& name : with_role(config, Role::kBias)) EXPECT_TRUE(name.ends_with(".bias")) << name;
  config = small_uvit();
  config.classes = 3;
  config.memory = "fam";
  EXPECT_EQ(with_role(config, Role::kEmbedding), std::set<std::string>{"label_emb.weight"});
  EXPECT_EQ(with_role(config, Role::kToken), (std::set<std::string>{"pos_embed", "fam_embedding"}));
}

TEST(UVit, ConvolutionsAndEmbeddingsAreDrawnAsPyTorchDrawsThem) {
  UVitConfig config = small_uvit();
  config.dim = 256;
  config.classes = 30;
  const TensorMap weights = to_map(UVit(config, 0).parameters());
  const double bound = 1 / std::sqrt(3.0 * 2 * 2);  // of a convolution's weight and bias, by the size of its window
  for (const char* name : {"patch_embed.proj.weight", "patch_embed.proj.bias"}) {
    EXPECT_LE(weights.at(name).abs().max().item<double>(), bound) << name;
    EXPECT_GT(weights.at(name).abs().max().item<double>(), 0.9 * bound) << name;
  }
  EXPECT_NEAR(weights.at("label_emb.weight").std().item<double>(), 1, 0.05);
  EXPECT_EQ(weights.at("decoder_pred.bias").abs().max().item<double>(), 0);
}

TEST(UVit, CheckpointingGivesTheSameGradients) {
  std::vector<Parameters> runs;
  for (const bool checkpointing : {false, true}) {
    UVitConfig config = small_uvit();
    config.checkpointing = checkpointing;
    UVit net(config, 1);
    net.set_requires_grad(true);
    net(draw({2, 3, 8, 8}, 5), at::tensor({10.0, 700.5})).square().mean().backward();
    runs.push_back(net.parameters());
  }
  for (size_t i = 0; i < runs[0].size(); ++i)
    EXPECT_TRUE(at::allclose(runs[0][i].tensor.grad(), runs[1][i].tensor.grad(), 1e-4, 1e-8)) << runs[0][i].name;
}

// Autocast keeps casts of the weights; none may survive from the second forward pass into the next step.
TEST(UVit, CheckpointingSeesTheNewWeightsUnderBf16) {
  std::vector<double> losses[2];
  for (const bool checkpointing : {false, true}) {
    UVitConfig config = small_uvit();
    config.checkpointing = checkpointing;
    UVit net(config, 1);
    net.set_requires_grad(true);
    for (int step = 0; step < 4; ++step) {
      Tensor loss;
      {
        const Autocast autocast(at::kCPU, at::kBFloat16);
        loss = (net(draw({2, 3, 8, 8}, 5), at::tensor({10.0, 700.5})).to(at::kFloat) - 1).square().mean();
      }
      loss.backward();
      losses[checkpointing].push_back(loss.item<double>());
      at::NoGradGuard no_grad;
      for (const auto& [name, parameter, role] : net.parameters()) {
        Tensor(parameter).sub_(0.1 * parameter.grad());
        Tensor(parameter).mutable_grad().reset();
      }
    }
  }
  EXPECT_LT(losses[0].back(), 0.9 * losses[0].front());
  for (size_t i = 0; i < losses[0].size(); ++i) EXPECT_NEAR(losses[1][i], losses[0][i], 1e-3) << "step " << i;
}

TEST(UVit, ConfigsThatDoNotFitAreNamed) {
  const auto message = [](const std::function<void(UVitConfig&)>& change) -> std::string {
    UVitConfig config = small_uvit();
    change(config);
    try {
      resolve(config);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message([](UVitConfig& c) { c.heads = 3; }).find("model.heads = 3"), std::string::npos);
  EXPECT_NE(message([](UVitConfig& c) { c.patch = 3; }).find("model.patch = 3"), std::string::npos);
  EXPECT_NE(message([](UVitConfig& c) { c.depth = 1; }).find("model.depth = 1"), std::string::npos);
  EXPECT_NE(message([](UVitConfig& c) { c.size = "XXL"; }).find("S-deep"), std::string::npos);
  EXPECT_NE(message([](UVitConfig& c) { c.attention = "linear"; }).find("softmax, cog"), std::string::npos);
  EXPECT_NE(message([](UVitConfig& c) { c.classes = c.context_tokens = 2; }).find("not both"), std::string::npos);
  expect_mentions(message([](UVitConfig& c) { c.memory = "lstm"; }), {"model.memory", "'lstm'", "none, bswa, fam"});
  expect_mentions(message([](UVitConfig& c) { c.window = "future"; }), {"model.window", "'future'", "past, both"});
  for (const char* memory : {"bswa", "fam"}) {
    expect_mentions(message([&](UVitConfig& c) { c.memory = memory, c.block = 0; }), {"model.block = 0", "at least 1"});
    expect_mentions(message([&](UVitConfig& c) { c.memory = memory, c.segments = -1; }), {"model.segments = -1"});
  }
  expect_mentions(message([](UVitConfig& c) { c.memory = "fam", c.fam_length = 0; }), {"model.fam_length = 0", "bswa"});
  expect_mentions(message([](UVitConfig& c) { c.block = int64_t{1} << 60; }), {"model.block", "at most"});
  EXPECT_EQ(message([](UVitConfig& c) { c.block = c.fam_length = 0, c.segments = -1; }), "no error");  // not read
  EXPECT_EQ(message([](UVitConfig& c) { c.memory = "bswa", c.fam_length = 0; }), "no error");
}

TEST(Parameters, LoadingIsStrictBothWays) {
  const UVit net(small_uvit());
  TensorMap weights = to_map(UVit(small_uvit(), 9).parameters());
  load_into(net.parameters(), weights, "w.safetensors");
  EXPECT_TRUE(at::equal(net.parameters()[0].tensor, weights.at("pos_embed")));

  weights["extra"] = at::ones({1});
  weights.erase("norm.bias");
  weights["norm.weight"] = at::ones({5});
  try {
    load_into(net.parameters(), weights, "w.safetensors");
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    for (const char* part :
         {"w.safetensors", "missing: norm.bias", "unexpected: extra", "norm.weight is [5], not [16]"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace uvic::uvit_test
