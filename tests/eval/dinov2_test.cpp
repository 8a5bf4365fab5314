#include "eval/dinov2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/temporary.h"

namespace uvic::dinov2_test {
namespace {

constexpr int64_t kDim = 128, kDepth = 2, kHidden = 2 * kDim;

// The wave of dinov2_test.py: weights that need no file.
Tensor wave(const std::string& name, int64_t index, at::IntArrayRef shape) {
  const int64_t count = at::zeros(shape).numel();
  Tensor values = at::sin(at::arange(count, at::kDouble) * 0.7 * (1 + 0.01 * static_cast<double>(index)) + index);
  if (name.ends_with("norm1.weight") || name.ends_with("norm2.weight") || name.ends_with("layernorm.weight") ||
      name.ends_with("lambda1"))
    values = 1 + 0.1 * values;
  else if (name.ends_with(".bias"))
    values = 0.1 * values;
  else if (shape.size() > 1 && name.ends_with(".weight"))
    values = values * std::sqrt(2.0 * static_cast<double>(shape[0]) / static_cast<double>(count));
  return values.reshape(shape).to(at::kFloat);
}

// Hugging Face's names; `hidden` of SwiGLU is 2/3 of that of GELU, rounded up to a multiple of 8.
TensorMap weights(bool gated, int64_t grid = 16) {
  std::map<std::string, std::vector<int64_t>> shapes = {
      {"embeddings.cls_token", {1, 1, kDim}},
      {"embeddings.mask_token", {1, kDim}},
      {"embeddings.position_embeddings", {1, 1 + grid * grid, kDim}},
      {"embeddings.patch_embeddings.projection.weight", {kDim, 3, 14, 14}}};
  const auto affine = [&](const std::string& name, int64_t out, int64_t in) {
    shapes[name + ".weight"] = in > 0 ? std::vector<int64_t>{out, in} : std::vector<int64_t>{out};
    shapes[name + ".bias"] = {out};
  };
  shapes["embeddings.patch_embeddings.projection.bias"] = {kDim};
  affine("layernorm", kDim, 0);
  for (int64_t i = 0; i < kDepth; ++i) {
    const std::string layer = fmt::format("encoder.layer.{}.", i);
    for (const char* part : {"query", "key", "value"}) affine(layer + "attention.attention." + part, kDim, kDim);
    affine(layer + "attention.output.dense", kDim, kDim);
    for (const char* k : {"1", "2"}) {
      affine(layer + "norm" + k, kDim, 0);
      shapes[layer + "layer_scale" + k + ".lambda1"] = {kDim};
    }
    const int64_t inner = gated ? (kHidden * 2 / 3 + 7) / 8 * 8 : kHidden;
    affine(layer + (gated ? "mlp.weights_in" : "mlp.fc1"), gated ? 2 * inner : inner, kDim);
    affine(layer + (gated ? "mlp.weights_out" : "mlp.fc2"), kDim, inner);
  }
  TensorMap filled;
  for (int64_t i = 0; const auto& [name, shape] : shapes) filled[name] = wave(name, i++, shape);
  return filled;
}

Tensor image(int64_t height, int64_t width) {
  const Tensor y = at::arange(height).view({1, -1, 1}), x = at::arange(width).view({1, 1, -1});
  const Tensor c = at::arange(3).view({-1, 1, 1});
  return (7 * x + 13 * y + 50 * c + x * y).remainder(256).to(at::kByte).unsqueeze(0);
}

Tensor features(TensorMap weights) {
  return DinoV2(std::move(weights), "dino.pth").features(DinoV2::resize(image(40, 30)));
}

// The first numbers that transformers gives: `tests/python/dinov2_test.py --numbers`.
TEST(DinoV2, AgreesWithTransformers) {
  const Tensor want = at::tensor({-0.87444, -0.8641, -0.34788, 0.20209, 0.92102, 0.16001, -0.03838, -1.54199});
  const Tensor gated = at::tensor({-0.96117, -0.89497, -0.11962, 0.06645, 0.90123, 0.13711, 0.01504, -1.52372});
  EXPECT_LT((features(weights(false))[0].narrow(0, 0, 8) - want).abs().max().item<double>(), 2e-5);
  EXPECT_LT((features(weights(true))[0].narrow(0, 0, 8) - gated).abs().max().item<double>(), 2e-5);
}

// [16, grid]: the share of each trained place in each of 16, by cubic convolution (a = -0.75) at the scale
// (16 + 0.1) / grid, places beyond the border taken from it.
Tensor cubic_shares(int64_t grid) {
  const auto kernel = [](double d) {
    constexpr double a = -0.75;
    d = std::abs(d);
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
  };
  Tensor shares = at::zeros({16, grid}, at::kDouble);
  for (int64_t i = 0; i < 16; ++i) {
    const double place = (static_cast<double>(i) + 0.5) * static_cast<double>(grid) / 16.1 - 0.5;
    const auto first = static_cast<int64_t>(std::floor(place)) - 1;
    for (int64_t j = first; j < first + 4; ++j)
      shares[i][std::clamp<int64_t>(j, 0, grid - 1)] += kernel(place - static_cast<double>(j));
  }
  return shares;
}

TEST(DinoV2, BringsPositionsToItsGrid) {
  constexpr int64_t kTrained = 37;
  TensorMap trained = weights(false, kTrained), resized = trained;
  const Tensor table = trained["embeddings.position_embeddings"].to(at::kDouble);
  const Tensor shares = cubic_shares(kTrained);
  const Tensor places = table[0].narrow(0, 1, kTrained * kTrained).view({kTrained, kTrained, kDim});
  const Tensor ours = at::einsum("ia,jb,abd->ijd", {shares, shares, places}).flatten(0, 1);
  resized["embeddings.position_embeddings"] = at::cat({table[0].narrow(0, 0, 1), ours}).unsqueeze(0).to(at::kFloat);
  const Tensor got = features(trained), want = features(resized);
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5);
  EXPECT_GT((got - features(weights(false))).abs().max().item<double>(), 1e-3);  // the positions matter
}

TEST(DinoV2, RefusesWhatItIsNot) {
  const auto error = [](const char* name, const Tensor& value) {
    TensorMap changed = weights(false);
    if (value.defined())
      changed[name] = value;
    else
      changed.erase(name);
    return error_of([&] { DinoV2(changed, "dino.pth"); });
  };
  expect_mentions(error("embeddings.cls_token", {}), {"dino.pth", "cls_token", "DINOv2"});
  expect_mentions(error("embeddings.position_embeddings", at::zeros({1, 8, kDim})), {"7 places", "square"});
  expect_mentions(error("encoder.layer.1.norm2.bias", {}), {"blocks.1.norm2.bias"});
  expect_mentions(error("encoder.layer.1.attention.attention.key.weight", {}), {"blocks.1.attn.qkv.weight"});
  expect_mentions(error("embeddings.register_tokens", at::zeros({1, 4, kDim})), {"register_tokens"});
}

}  // namespace
}  // namespace uvic::dinov2_test
