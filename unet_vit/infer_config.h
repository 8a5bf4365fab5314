// What the names and shapes of U-ViT weights tell about the network they belong to.
#pragma once

#include <optional>
#include <string>

#include "core/formats/safetensors.h"
#include "unet_vit/config.h"

namespace uvic {

struct InferredConfig {
  // Filled but for heads, the attention kinds and the blocks of patches, which no weights show; `size` is the row with
  // that depth and dim, or "".
  UVitConfig model;
  // Patches and text tokens share one table of positions, so with text image_size and context_tokens are a guess (77
  // tokens as CLIP has, if that leaves a square); 0: they could not be told apart.
  bool guessed = false;
};

// nullopt if these are no weights of a U-ViT.
std::optional<InferredConfig> infer_config(const TensorMap& weights);

// "depth is 12 in the config and 4 in the weights; ..." for what the weights do tell; "" if nothing contradicts.
// `config` is resolved.
std::string contradictions(const UVitConfig& config, const InferredConfig& inferred);

}  // namespace uvic
