#include "eval/dinov2.h"

#include <cmath>

#include "core/error.h"
#include "core/image/image.h"
#include "eval/imagenet.h"
#include "eval/weights_reader.h"

namespace uvic {
namespace {

constexpr int64_t kDinoSize = 224, kPatch = 14, kGrid = kDinoSize / kPatch, kHead = 64;
constexpr double kNormEpsilon = 1e-6;

// Hugging Face's part of a name, and Meta's.
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.mask_token", "mask_token"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection", "patch_embed.proj"},
    {"encoder.layer.", "blocks."},
    {"attention.output.dense", "attn.proj"},
    {"attention.attention.query", "attn.q"},
    {"attention.attention.key", "attn.k"},
    {"attention.attention.value", "attn.v"},
    {"layer_scale1.lambda1", "ls1.gamma"},
    {"layer_scale2.lambda1", "ls2.gamma"},
    {"mlp.weights_in", "mlp.w12"},
    {"mlp.weights_out", "mlp.w3"},
    {"layernorm.", "norm."},
};

std::string meta_name(std::string name) {
  for (const auto& [theirs, ours] : kNames)
    if (const size_t at = name.find(theirs); at != std::string::npos) name.replace(at, theirs.size(), ours);
  return name;
}

// Query, key and value one below the other, as Meta's file has them.
TensorMap meta_names(TensorMap weights) {
  TensorMap renamed;
  for (auto& [name, tensor] : weights) renamed[meta_name(name)] = std::move(tensor);
  for (int64_t i = 0;; ++i)
    for (const char* end : {".weight", ".bias"}) {
      const std::string attention = fmt::format("blocks.{}.attn.", i);
      std::vector<Tensor> parts;
      for (const char* part : {"q", "k", "v"})
        if (auto found = renamed.extract(attention + part + end); !found.empty()) parts.push_back(found.mapped());
      if (parts.empty()) return renamed;
      if (parts.size() == 3) renamed[attention + "qkv" + end] = at::cat(parts);
    }
}

int64_t depth_of(const TensorMap& weights) {
  int64_t depth = 0;
  while (weights.contains(fmt::format("blocks.{}.norm1.weight", depth))) ++depth;
  return depth;
}

// From the square grid of the training to that of 224 pixels. Meta's code asks for the scale (16 + 0.1) / grid, and the
// published distances were made with it.
Tensor positions_at_224(const Tensor& positions, int64_t grid) {
  if (grid == kGrid) return positions;
  const Tensor places = positions.narrow(1, 1, grid * grid).unflatten(1, {grid, grid}).permute({0, 3, 1, 2});
  const double scale = (static_cast<double>(kGrid) + 0.1) / static_cast<double>(grid);
  const Tensor resized = at::upsample_bicubic2d(places, {kGrid, kGrid}, /*align_corners=*/false, scale, scale);
  return at::cat({positions.narrow(1, 0, 1), resized.flatten(2).transpose(1, 2)}, 1);
}

}  // namespace

DinoV2::DinoV2(TensorMap weights, const std::string& file) {
  weights = meta_names(std::move(weights));
  const auto token = weights.find("cls_token"), table = weights.find("pos_embed");
  if (token == weights.end() || table == weights.end())
    fail("{}: no tensors 'cls_token' and 'pos_embed'; these are not the weights of a DINOv2", file);
  const int64_t dim = token->second.numel(), depth = depth_of(weights);
  const int64_t places = dim == 0 ? 0 : table->second.numel() / dim - 1;
  const auto grid = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(places, 0)))));
  if (dim == 0 || dim % kHead != 0 || depth == 0 || grid == 0 || grid * grid != places)
    fail("{}: {} blocks, {} wide, with {} places: expected blocks of a multiple of {} and a square of places", file,
         depth, dim, places, kHead);
  const std::string gate = "blocks.0.mlp.w12.weight", plain = "blocks.0.mlp.fc1.weight";
  gated_ = weights.contains(gate);
  const int64_t hidden = gated_ ? weights[gate].size(0) / 2 : weights.contains(plain) ? weights[plain].size(0) : 0;

  WeightsReader reader(std::move(weights), file);
  const auto linear = [&](const std::string& name, int64_t in, int64_t out) {
    return reader.take_linear(name, in, out);
  };
  const auto norm = [&](const std::string& name) { return reader.take_layer_norm(name, dim, kNormEpsilon); };
  class_token_ = reader.take("cls_token", {1, 1, dim});
  positions_ = positions_at_224(reader.take("pos_embed", {1, 1 + places, dim}), grid);
  reader.take("mask_token", {1, dim});  // of the training only
  patches_ = {.weight = reader.take("patch_embed.proj.weight", {dim, 3, kPatch, kPatch}),
              .bias = reader.take("patch_embed.proj.bias", {dim}),
              .stride = {kPatch, kPatch}};
  for (int64_t i = 0; i < depth; ++i) {
    const std::string block = fmt::format("blocks.{}.", i);
    blocks_.push_back({.norm1 = norm(block + "norm1"),
                       .qkv = linear(block + "attn.qkv", dim, 3 * dim),
                       .out = linear(block + "attn.proj", dim, dim),
                       .norm2 = norm(block + "norm2"),
                       .up = linear(block + (gated_ ? "mlp.w12" : "mlp.fc1"), dim, gated_ ? 2 * hidden : hidden),
                       .down = linear(block + (gated_ ? "mlp.w3" : "mlp.fc2"), hidden, dim),
                       .scale1 = reader.take(block + "ls1.gamma", {dim}),
                       .scale2 = reader.take(block + "ls2.gamma", {dim})});
  }
  norm_ = norm("norm");
  reader.finish();
}

Tensor DinoV2::resize(const Tensor& images) {
  Tensor resized =
      resize_float_like_pillow(images.to(at::kFloat), kDinoSize, kDinoSize, Filter::kBicubic).clamp_(0, 255);
  return normalize_imagenet(resized);
}

Tensor DinoV2::attention(const Block& block, const Tensor& x) const {
  const Tensor heads = block.qkv(x).unflatten(2, {3, -1, kHead});  // [B, N, 3, H, 64]
  const auto part = [&](int64_t i) { return heads.select(2, i).transpose(1, 2); };
  const Tensor mixed = at::scaled_dot_product_attention(part(0), part(1), part(2));
  return block.out(mixed.transpose(1, 2).flatten(2));
}

Tensor DinoV2::features(const Tensor& resized) const {
  const Tensor patches = patches_(resized).flatten(2).transpose(1, 2);
  Tensor x = at::cat({class_token_.expand({resized.size(0), 1, dims()}), patches}, 1) + positions_;
  for (const Block& block : blocks_) {
    x = x + block.scale1 * attention(block, block.norm1(x));
    Tensor h = block.up(block.norm2(x));
    if (gated_) {
      const auto halves = h.chunk(2, -1);
      h = at::silu(halves[0]) * halves[1];
    } else {
      h = at::gelu(h);
    }
    x = x + block.scale2 * block.down(h);
  }
  return norm_(x.select(1, 0));
}

}  // namespace uvic
