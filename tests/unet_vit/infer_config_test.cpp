#include "unet_vit/infer_config.h"

#include <gtest/gtest.h>

#include "unet_vit/uvit.h"

namespace uvic::infer_config_test {
namespace {

// The weights of that network, as a file would hold them.
TensorMap weights_of(const UVitConfig& config) {
  return to_map(UVit(config).parameters());
}

// What weights do not show is that of a config nobody touched.
UVitConfig shown(const UVitConfig& config) {
  UVitConfig expected = resolve(config);
  const UVitConfig untouched;
  expected.size = "";  // no row has that depth and width
  expected.heads = untouched.heads;
  expected.attention = untouched.attention;
  expected.end_attention = untouched.end_attention;
  expected.kernels = untouched.kernels;
  expected.checkpointing = untouched.checkpointing;
  if (expected.memory != "fam") expected.memory = untouched.memory;
  expected.block = untouched.block;
  expected.segments = untouched.segments;
  expected.window = untouched.window;
  return expected;
}

const UVitConfig kPlain{.size = "nano", .depth = 4, .dim = 24, .heads = 2, .image_size = 16, .patch = 4};

std::vector<UVitConfig> without_text() {
  std::vector<UVitConfig> configs;
  const auto vary = [&](const std::function<void(UVitConfig&)>& change) { change(configs.emplace_back(kPlain)); };
  vary([](UVitConfig&) {});
  vary([](UVitConfig& c) { c.classes = 10; });
  vary([](UVitConfig& c) { c.channels = 4, c.patch = 2; });
  vary([](UVitConfig& c) { c.mlp_ratio = 2.5, c.qkv_bias = true; });
  vary([](UVitConfig& c) { c.mlp_time_embed = true, c.conv = false; });
  vary([](UVitConfig& c) { c.skip = false, c.depth = 2; });
  vary([](UVitConfig& c) { c.memory = "bswa", c.block = 5, c.segments = 2, c.window = "past"; });
  vary([](UVitConfig& c) { c.memory = "fam", c.block = 5, c.fam_length = 7; });
  return configs;
}

TEST(InferConfig, WeightsWithoutTextShowAllButHeadsAndHowBlocksAreComputed) {
  for (const UVitConfig& config : without_text()) {
    const auto inferred = infer_config(weights_of(config));
    ASSERT_TRUE(inferred);
    EXPECT_FALSE(inferred->guessed);
    UVitConfig expected = shown(config);
    expected.context_dim = inferred->model.context_dim;  // there is no text
    EXPECT_EQ(inferred->model, expected);
    EXPECT_EQ(contradictions(resolve(config), *inferred), "");
  }
}

TEST(InferConfig, NamesTheSizeOfThatDepthAndWidth) {
  for (const auto& row : uvit_sizes()) {
    UVitConfig config = kPlain;
    config.depth = row.value.depth;
    config.dim = row.value.dim;
    // Only shapes are read: `meta` tensors take no memory.
    TensorMap weights;
    for (const auto& [name, tensor] : weights_of(kPlain)) weights[name] = tensor;
    weights["pos_embed"] = at::empty({1, 17, config.dim}, at::TensorOptions(at::kMeta));
    weights["mid_block.mlp.fc1.weight"] = at::empty({4 * config.dim, config.dim}, at::TensorOptions(at::kMeta));
    for (int64_t i = 0; i < config.depth / 2; ++i)
      weights[fmt::format("in_blocks.{}.norm1.weight", i)] = at::empty({config.dim}, at::TensorOptions(at::kMeta));
    EXPECT_EQ(infer_config(weights)->model.size, row.name);
  }
}

TEST(InferConfig, OfTextItGuessesTheTokensOfClip) {
  UVitConfig config = kPlain;
  config.context_tokens = 77;
  config.context_dim = 11;
  const auto clip = infer_config(weights_of(config));
  ASSERT_TRUE(clip && clip->guessed);
  EXPECT_EQ(clip->model, shown(config));

  config.context_tokens = 14;  // 16 patches and 14 tokens: 77 would leave no patches
  const auto other = infer_config(weights_of(config));
  ASSERT_TRUE(other && other->guessed);
  EXPECT_EQ(other->model.context_tokens, 0);
  EXPECT_EQ(other->model.image_size, 0);
  EXPECT_EQ(contradictions(resolve(config), *other), "");  // nor do they say otherwise

  config.vocabulary = 13;
  config.context_dim = 0;
  EXPECT_EQ(infer_config(weights_of(config))->model.vocabulary, 13);
}

TEST(InferConfig, OfOtherWeightsThereIsNone) {
  const TensorMap all = weights_of(kPlain);
  EXPECT_FALSE(infer_config({}));
  for (const char* name : {"pos_embed", "patch_embed.proj.weight", "mid_block.mlp.fc1.weight"}) {
    TensorMap weights = all;
    weights[name] = at::zeros({3});
    EXPECT_FALSE(infer_config(weights)) << name;
    weights.erase(name);
    EXPECT_FALSE(infer_config(weights)) << name;
  }
  TensorMap odd = all;
  odd["pos_embed"] = at::zeros({1, 16, 24});  // 15 patches are no square
  EXPECT_EQ(infer_config(odd)->model.image_size, 0);
}

TEST(InferConfig, NamesEveryContradiction) {
  const auto says = [](const std::function<void(UVitConfig&)>& change) {
    UVitConfig config = resolve(kPlain);
    change(config);
    return contradictions(config, *infer_config(weights_of(kPlain)));
  };
  EXPECT_EQ(says([](UVitConfig& c) { c.depth = 5; }), "");  // which has as many blocks as 4
  EXPECT_EQ(says([](UVitConfig& c) { c.heads = 4, c.attention = "softmax", c.kernels = "reference"; }), "");
  EXPECT_EQ(says([](UVitConfig& c) { c.depth = 6, c.skip = false; }),
            "model.depth is 6 in the config and 4 in the weights; model.skip is false in the config and true in the "
            "weights");
  const std::pair<const char*, void (*)(UVitConfig&)> changes[] = {
      {"dim", [](UVitConfig& c) { c.dim = 48; }},
      {"patch", [](UVitConfig& c) { c.patch = 2; }},
      {"channels", [](UVitConfig& c) { c.channels = 4; }},
      {"mlp_ratio", [](UVitConfig& c) { c.mlp_ratio = 3; }},
      {"qkv_bias", [](UVitConfig& c) { c.qkv_bias = true; }},
      {"mlp_time_embed", [](UVitConfig& c) { c.mlp_time_embed = true; }},
      {"conv", [](UVitConfig& c) { c.conv = false; }},
      {"classes", [](UVitConfig& c) { c.classes = 7; }},
      {"vocabulary", [](UVitConfig& c) { c.vocabulary = 9; }},
      {"context_tokens", [](UVitConfig& c) { c.context_tokens = 5; }},
      {"image_size", [](UVitConfig& c) { c.image_size = 32; }},
  };
  for (const auto& [name, change] : changes)
    EXPECT_TRUE(says(change).starts_with(fmt::format("model.{} is ", name))) << name << ": " << says(change);

  EXPECT_EQ(says([](UVitConfig& c) { c.memory = "bswa", c.block = 5; }), "");
  EXPECT_EQ(says([](UVitConfig& c) { c.memory = "fam"; }),
            "model.memory is fam in the config and none or bswa in the weights");
  UVitConfig fam = kPlain;
  fam.memory = "fam";
  const auto with_fam = *infer_config(weights_of(fam));
  EXPECT_EQ(contradictions(resolve(kPlain), with_fam),
            "model.memory is none or bswa in the config and fam in the weights");
  fam.fam_length = 5, fam.block = 3, fam.segments = 0;
  EXPECT_EQ(contradictions(resolve(fam), with_fam), "model.fam_length is 5 in the config and 16 in the weights");

  UVitConfig text = kPlain;
  text.context_tokens = 5;
  text.context_dim = 11;
  const auto inferred = *infer_config(weights_of(text));
  EXPECT_EQ(contradictions(resolve(kPlain), inferred),
            "model.context_tokens is 0 in the config, but the weights take text");
  text.context_dim = 12;
  EXPECT_EQ(contradictions(resolve(text), inferred), "model.context_dim is 12 in the config and 11 in the weights");
}

}  // namespace
}  // namespace uvic::infer_config_test
