#include "unet_vit/infer_config.h"

#include <cmath>

namespace uvic {
namespace {

// The shape of a tensor of that many dimensions; empty if there is none.
std::vector<int64_t> shape_of(const TensorMap& weights, const std::string& name, int64_t dims) {
  const auto found = weights.find(name);
  if (found == weights.end() || found->second.dim() != dims) return {};
  return found->second.sizes().vec();
}

// The root of a square number; 0 otherwise.
int64_t square_root(int64_t n) {
  if (n <= 0) return 0;
  const auto root = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(n))));
  return root * root == n ? root : 0;
}

constexpr int64_t kClipTokens = 77;

}  // namespace

std::optional<InferredConfig> infer_config(const TensorMap& weights) {
  const auto pos = shape_of(weights, "pos_embed", 3), patches = shape_of(weights, "patch_embed.proj.weight", 4);
  const auto fc1 = shape_of(weights, "mid_block.mlp.fc1.weight", 2);
  if (pos.empty() || patches.empty() || fc1.empty() || pos[2] == 0) return std::nullopt;

  InferredConfig inferred;
  UVitConfig& model = inferred.model;
  model.dim = pos[2];
  model.channels = patches[1];
  model.patch = patches[2];
  model.mlp_ratio = static_cast<double>(fc1[0]) / static_cast<double>(model.dim);
  while (weights.contains(fmt::format("in_blocks.{}.norm1.weight", model.depth / 2))) model.depth += 2;
  model.qkv_bias = weights.contains("mid_block.attn.qkv.bias");
  model.mlp_time_embed = weights.contains("time_embed.0.weight");
  model.conv = weights.contains("final_layer.weight");
  model.skip = weights.contains("out_blocks.0.skip_linear.weight");
  if (const auto label = shape_of(weights, "label_emb.weight", 2); !label.empty()) model.classes = label[0] - 1;
  if (const auto words = shape_of(weights, "text_embed.weight", 2); !words.empty()) model.vocabulary = words[0];
  if (const auto fam = shape_of(weights, "fam_embedding", 2); !fam.empty()) {
    model.memory = "fam";
    model.fam_length = fam[0];
  }
  model.size = "";
  for (const auto& row : uvit_sizes())
    if (row.value.depth == model.depth && row.value.dim == model.dim) model.size = row.name;

  const int64_t tokens = pos[1] - 1 - (model.classes > 0);  // without time and class
  const auto context = shape_of(weights, "context_embed.weight", 2);
  int64_t side = square_root(tokens);
  if (!context.empty()) {
    model.context_dim = context[1];
    inferred.guessed = true;
    side = square_root(tokens - kClipTokens);
    model.context_tokens = side > 0 ? kClipTokens : 0;
  }
  model.image_size = side * model.patch;
  return inferred;
}

std::string contradictions(const UVitConfig& config, const InferredConfig& inferred) {
  std::string list;
  const auto compare = [&](const char* name, auto in_config, auto in_weights) {
    if (in_config == in_weights) return;
    list += fmt::format("{}model.{} is {} in the config and {} in the weights", list.empty() ? "" : "; ", name,
                        in_config, in_weights);
  };
  const UVitConfig& model = inferred.model;
  compare("depth", config.depth / 2 * 2, model.depth);
  compare("dim", config.dim, model.dim);
  compare("patch", config.patch, model.patch);
  compare("channels", config.channels, model.channels);
  compare("mlp_ratio", config.mlp_ratio, model.mlp_ratio);
  compare("qkv_bias", config.qkv_bias, model.qkv_bias);
  compare("mlp_time_embed", config.mlp_time_embed, model.mlp_time_embed);
  compare("conv", config.conv, model.conv);
  compare("skip", config.skip, model.skip);
  compare("classes", config.classes, model.classes);
  compare("vocabulary", config.vocabulary, model.vocabulary);
  // Whether patches see a window alone, no weights show.
  const auto memory_of = [](const UVitConfig& c) { return c.memory == "fam" ? "fam" : "none or bswa"; };
  compare("memory", memory_of(config), memory_of(model));
  if (config.memory == "fam" && model.memory == "fam") compare("fam_length", config.fam_length, model.fam_length);
  if (!inferred.guessed) {
    compare("context_tokens", config.context_tokens, model.context_tokens);
    compare("image_size", config.image_size, model.image_size);
  } else if (config.context_tokens > 0) {
    compare("context_dim", config.context_dim, model.context_dim);
  } else {
    list +=
        fmt::format("{}model.context_tokens is 0 in the config, but the weights take text", list.empty() ? "" : "; ");
  }
  return list;
}

}  // namespace uvic
