#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/pickle/pth.h"
#include "encoders/autoencoder_kl.h"
#include "encoders/tiled_decode.h"
#include "tests/random_weights.h"
#include "tests/temporary.h"

namespace uvic::autoencoder_test {
namespace {

AutoencoderConfig tiny() {
  AutoencoderConfig config;
  config.stem = 4;
  config.channels = {4, 8, 8};
  config.attention = {false, true, false};
  config.res_blocks = 1;
  config.groups = 2;
  return config;
}

TensorMap tiny_weights(const AutoencoderConfig& config = tiny()) {
  return random_weights(AutoencoderKl(config).parameters(), 1);
}

std::string replace_all(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

// What latent-diffusion calls the tensors of an autoencoder of three levels.
TensorMap as_ldm(const TensorMap& diffusers) {
  const std::pair<const char*, const char*> kRenamed[] = {{"down_blocks.", "down."},
                                                          {"mid_block.resnets.0", "mid.block_1"},
                                                          {"mid_block.resnets.1", "mid.block_2"},
                                                          {"mid_block.attentions.0", "mid.attn_1"},
                                                          {"resnets.", "block."},
                                                          {"attentions.", "attn."},
                                                          {"downsamplers.0.", "downsample."},
                                                          {"upsamplers.0.", "upsample."},
                                                          {"conv_norm_out", "norm_out"},
                                                          {"conv_shortcut", "nin_shortcut"},
                                                          {"group_norm", "norm"},
                                                          {"to_q", "q"},
                                                          {"to_k", "k"},
                                                          {"to_v", "v"},
                                                          {"to_out.0", "proj_out"},
                                                          {"up_blocks.0.", "up.low."},
                                                          {"up_blocks.1.", "up.1."},
                                                          {"up_blocks.2.", "up.0."},
                                                          {"up.low.", "up.2."}};
  TensorMap renamed;
  for (const auto& [name, tensor] : diffusers) {
    std::string ldm = name;
    for (const auto& [there, here] : kRenamed) ldm = replace_all(ldm, there, here);
    const bool matrix = tensor.dim() == 2;
    renamed[ldm] = matrix ? tensor.unsqueeze(-1).unsqueeze(-1) : tensor;
  }
  return renamed;
}

TensorMap as_old_diffusers(const TensorMap& diffusers) {
  TensorMap renamed;
  for (const auto& [name, tensor] : diffusers) {
    std::string old = name;
    for (const auto& [there, here] : {std::pair("to_q", "query"), std::pair("to_k", "key"), std::pair("to_v", "value"),
                                      std::pair("to_out.0", "proj_attn")})
      old = replace_all(old, there, here);
    renamed[old] = tensor;
  }
  return renamed;
}

const Tensor kImages = at::linspace(-1, 1, 3 * 16 * 16).view({1, 3, 16, 16});
const Tensor kLatents = at::sin(at::arange(4 * 6 * 6, at::kFloat)).view({1, 4, 6, 6});

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(AutoencoderKl, IsTheSameUnderAllNames) {
  const at::NoGradGuard no_grad;
  const TensorMap weights = tiny_weights();
  const AutoencoderKl net(weights, "test", 2);
  EXPECT_EQ(net.factor(), 4);
  const Tensor moments = net.encode(kImages), decoded = net.decode(kLatents);
  EXPECT_EQ(moments.sizes(), (std::vector<int64_t>{1, 8, 4, 4}));
  EXPECT_EQ(decoded.sizes(), (std::vector<int64_t>{1, 3, 24, 24}));
  TensorMap ldm = as_ldm(weights);
  ASSERT_TRUE(ldm.contains("decoder.up.2.block.1.conv2.bias") && ldm.contains("encoder.down.0.downsample.conv.weight"));
  ldm["loss.logvar"] = at::zeros({1});
  for (const TensorMap& other : {ldm, as_old_diffusers(weights)}) {
    const AutoencoderKl same(other, "test", 2);
    EXPECT_TRUE(at::equal(same.encode(kImages), moments));
    EXPECT_TRUE(at::equal(same.decode(kLatents), decoded));
    for (const auto& [name, tensor, role] : same.parameters()) EXPECT_TRUE(at::equal(tensor, weights.at(name))) << name;
  }
}

// With silent residual branches and attentions the two halves are short formulas.
TEST(AutoencoderKl, IsTheFormulaWhereItIsShort) {
  const at::NoGradGuard no_grad;
  AutoencoderConfig config = tiny();
  config.channels = {4, 4};
  config.attention = {false, false};
  TensorMap w = tiny_weights(config);
  for (auto& [name, tensor] : w)
    if (name.find(".conv2.") != std::string::npos || name.find("to_out.0") != std::string::npos) tensor.zero_();
  const auto conv = [&](const Tensor& x, const std::string& name, int64_t stride, int64_t padding) {
    return at::conv2d(x, w.at(name + ".weight"), w.at(name + ".bias"), stride, padding);
  };
  const auto finish = [&](const Tensor& x, const std::string& half) {
    const Tensor groups = x.reshape({1, 2, -1});
    const Tensor normal =
        ((groups - groups.mean(-1, true)) / at::sqrt(groups.var(-1, false, true) + 1e-6)).view(x.sizes());
    const Tensor y = normal * w.at(half + "conv_norm_out.weight").view({1, -1, 1, 1}) +
                     w.at(half + "conv_norm_out.bias").view({1, -1, 1, 1});
    return conv(y * at::sigmoid(y), half + "conv_out", 1, 1);
  };
  const AutoencoderKl net(w, "test", 2);

  const Tensor padded = at::constant_pad_nd(conv(kImages, "encoder.conv_in", 1, 1), {0, 1, 0, 1});
  const Tensor low = conv(padded, "encoder.down_blocks.0.downsamplers.0.conv", 2, 0);
  EXPECT_LT(difference(net.encode(kImages), conv(finish(low, "encoder."), "quant_conv", 1, 0)), 1e-5);

  Tensor high = conv(conv(kLatents, "post_quant_conv", 1, 0), "decoder.conv_in", 1, 1);
  high = high.repeat_interleave(2, 2).repeat_interleave(2, 3);
  high = conv(high, "decoder.up_blocks.0.upsamplers.0.conv", 1, 1);
  EXPECT_LT(difference(net.decode(kLatents), finish(high, "decoder.")), 1e-5);
}

TEST(AutoencoderKl, SamplesLatentsFromTheirMoments) {
  const Tensor moments = at::tensor({1.0f, 0.0f, 100.0f, -100.0f}).view({1, 4, 1, 1});  // means 1, 0; log-variances
  const Tensor latent = sample_latent(moments, at::ones({1, 2, 1, 1}));
  EXPECT_NEAR(latent[0][0].item<double>(), 1 + std::exp(10), 1e-2);
  EXPECT_NEAR(latent[0][1].item<double>(), std::exp(-15), 1e-9);
}

TEST(AutoencoderKl, IsStrict) {
  const auto problem = [&](auto&& change, int64_t groups = 2) {
    TensorMap weights = tiny_weights();
    change(weights);
    return error_of([&] { AutoencoderKl(weights, "vae.pth", groups); });
  };
  const std::string name = "decoder.up_blocks.1.resnets.0.norm1.weight";
  expect_mentions(problem([&](TensorMap& w) { w.erase(name); }), {"vae.pth", "missing", name});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::ones({3}); }), {"wrong shape", name});
  expect_mentions(problem([&](TensorMap& w) { w["decoder.extra"] = at::ones({3}); }), {"unexpected: decoder.extra"});
  expect_mentions(problem([&](TensorMap& w) { w.clear(); }), {"vae.pth", "no autoencoder"});
  expect_mentions(problem([&](TensorMap& w) { w.erase("post_quant_conv.weight"); }), {"post_quant_conv.weight"});
  expect_mentions(problem([](TensorMap&) {}, 3), {"4 channels", "3 groups"});
}

TEST(LoadAutoencoder, ReadsFilesAndFolders) {
  const TemporaryFolder folder;
  AutoencoderConfig config = tiny();
  const TensorMap weights = tiny_weights(config);
  const nlohmann::json json = {{"norm_num_groups", 2}, {"scaling_factor", 0.25}};
  folder.put("vae/config.json", json.dump());
  write_safetensors(folder / "vae/diffusion_pytorch_model.safetensors", {weights, {}});
  for (const fs::path& path : {folder.path(), folder / "vae"}) {
    const AutoencoderKl net = load_autoencoder(path);
    EXPECT_EQ(net.config().scale, 0.25);
    EXPECT_EQ(net.config().groups, 2);
    EXPECT_EQ(net.config().channels, config.channels);
    EXPECT_EQ(net.config().attention, config.attention);
  }
  folder.put("vae/config.json", R"({"norm_num_groups": 0})");
  expect_mentions(error_of([&] { load_autoencoder(folder.path()); }), {"config.json", "norm_num_groups"});
  fs::remove(folder / "vae/diffusion_pytorch_model.safetensors");
  expect_mentions(error_of([&] { load_autoencoder(folder / "vae"); }), {"no weights of the autoencoder", "vae"});
  expect_mentions(error_of([&] { load_autoencoder(folder / "gone"); }), {"no autoencoder at", "gone"});
  fs::remove_all(folder / "vae");
  expect_mentions(error_of([&] { load_autoencoder(folder.path()); }), {"no autoencoder in"});
}

TEST(TiledDecode, TilesFitIntoMemory) {
  const AutoencoderConfig config;  // Stable Diffusion's
  const int64_t whole = decoding_bytes(config, 64);
  EXPECT_EQ(whole, 4 * decoding_bytes(config, 32));
  EXPECT_NEAR(static_cast<double>(decoding_bytes(config, 32)), 9.0 * 256 * 256 * 256 * 4, 1);
  EXPECT_EQ(tile_within(config, 64, whole), 0);
  EXPECT_EQ(tile_within(config, 64, whole - 1), 56);
  EXPECT_EQ(tile_within(config, 64, decoding_bytes(config, 32)), 32);
  EXPECT_EQ(tile_within(config, 64, 1), kSmallestTile);
}

// Latents that repeat within every tile, and kernels that see one place only: then no tile can tell where it is.
TEST(DecodeTiled, BlendsWithoutATrace) {
  const at::NoGradGuard no_grad;
  TensorMap weights = tiny_weights();
  for (auto& [name, tensor] : weights)
    if (tensor.dim() == 4 && tensor.size(-1) == 3) {
      const Tensor centre = tensor.select(-1, 1).select(-1, 1).clone();
      tensor.zero_();
      tensor.select(-1, 1).select(-1, 1).copy_(centre);
    }
  const AutoencoderKl net(weights, "test", 2);
  const Tensor latents = at::tensor({1.0f, -1.0f, -1.0f, 1.0f}).view({1, 1, 2, 2}).repeat({1, 4, 10, 8}) *
                         at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 4, 1, 1});  // 20 x 16
  const Tensor whole = net.decode(latents);
  EXPECT_GT(whole.std().item<double>(), 0.01);
  EXPECT_LT(difference(decode_tiled(net, latents, 8), whole), 1e-5);
  EXPECT_TRUE(at::equal(decode_tiled(net, latents, 0), whole));
  EXPECT_TRUE(at::equal(decode_tiled(net, latents, 20), whole));
}

TEST(DecodeTiled, DiffersFromTheWholeOnlyInWhatTilesCannotSee) {
  const at::NoGradGuard no_grad;
  const AutoencoderKl net(tiny_weights(), "test", 2);
  const Tensor latents = at::randn({2, 4, 20, 20}, image_generator(1), at::kFloat);
  const Tensor whole = net.decode(latents), tiled = decode_tiled(net, latents, 8);
  EXPECT_EQ(tiled.sizes(), whole.sizes());
  EXPECT_FALSE(at::equal(tiled, whole));
  const double error = (tiled - whole).square().mean().item<double>(), power = whole.square().mean().item<double>();
  EXPECT_LT(error, 0.5 * power);
}

}  // namespace
}  // namespace uvic::autoencoder_test
