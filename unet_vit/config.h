// The shape of a U-ViT and the sizes of the paper.
#pragma once

#include <span>
#include <string>

#include "core/registry.h"

namespace uvic {

struct UVitConfig {
  std::string size = "S";  // a row of uvit_sizes(); gives depth, dim and heads where those are 0
  int64_t depth = 0;       // blocks beside the middle one: depth / 2 (rounded down) before it and as many after
  int64_t dim = 0;         // width of a token
  int64_t heads = 0;
  int64_t image_size = 32;  // H = W of x, in pixels or latents
  int64_t patch = 2;
  int64_t channels = 3;
  double mlp_ratio = 4;
  bool qkv_bias = false;
  bool mlp_time_embed = false;            // a two-layer network on the time embedding
  bool conv = true;                       // final 3 x 3 convolution
  bool skip = true;                       // long skip connections
  int64_t classes = 0;                    // > 0: a class token; the embedding has one more row, the null class
  int64_t context_tokens = 0;             // > 0: that many text tokens
  int64_t context_dim = 0;                // width of a text state; 0: dim
  int64_t vocabulary = 0;                 // > 0: text comes as word ids, embedded by a table of that many rows
  std::string attention = "cog";          // of every block but the first and the last
  std::string end_attention = "softmax";  // of the first and the last block
  std::string memory = "none";            // a row of patch_memories(): what a patch sees beside the tokens in front
  int64_t block = 256;                    // patches of a block of memory, in raster order
  int64_t segments = 1;                   // blocks beside its own that a patch sees
  std::string window = "both";            // a row of block_windows(): where these are
  int64_t fam_length = 16;                // vectors of a feedback memory
  std::string kernels = "fused";          // a row of kernel_kinds(): how blocks are computed
  bool checkpointing = false;  // recompute activations in the backward pass: less memory, about 1/3 more time

  bool operator==(const UVitConfig&) const = default;
};

struct UVitSize {
  int64_t depth, dim, heads;
};
std::span<const Entry<UVitSize>> uvit_sizes();

// Whether blocks are computed by the fused operations of transformer/kernels.
std::span<const Entry<bool>> kernel_kinds();

// What a patch sees beside the tokens in front of the patches, which see everything: all patches; a block sliding
// window; such a window and a feedback memory (arXiv 2404.09173).
enum class PatchMemory { kNone, kWindow, kFeedback };
std::span<const Entry<PatchMemory>> patch_memories();

// Whether the window of blocks reaches to both sides.
std::span<const Entry<bool>> block_windows();

// Fills depth, dim, heads and context_dim, and checks that all fits together and is of a possible size. Error names the
// field.
UVitConfig resolve(UVitConfig config);

// Tokens in front of the patches: time, and class or text.
int64_t extra_tokens(const UVitConfig& config);
int64_t sequence_length(const UVitConfig& config);

// Of a resolved config.
PatchMemory patch_memory(const UVitConfig& config);
bool sees_both_sides(const UVitConfig& config);

// Of the network, without making it. `config` is resolved.
int64_t parameter_count(const UVitConfig& config);

}  // namespace uvic
