#include "unet_vit/config.h"

#include "transformer/attention.h"

namespace uvic {
namespace {

// nano to mini are ours, for CPUs; the others are table 1 of arXiv 2209.12152 (their "layers" count the middle block).
constexpr Entry<UVitSize> kSizes[] = {
    {"nano", {4, 128, 2}, "1.1M parameters, trains in minutes on a CPU"},
    {"tiny", {6, 192, 3}, "3.4M"},
    {"mini", {8, 256, 4}, "7.7M"},
    {"S", {12, 512, 8}, "44M (U-ViT-S)"},
    {"S-deep", {16, 512, 8}, "58M"},
    {"M", {16, 768, 12}, "131M"},
    {"L", {20, 1024, 16}, "287M"},
    {"H", {28, 1152, 16}, "501M"},
};

constexpr Entry<bool> kKernelKinds[] = {
    {"fused", true, "our own operations: few passes over memory, attention linear in memory"},
    {"reference", false, "LibTorch's operations, one after the other"},
};

constexpr Entry<PatchMemory> kPatchMemories[] = {
    {"none", PatchMemory::kNone, "patches see all patches: time grows as the square of their number"},
    {"bswa", PatchMemory::kWindow, "patches see blocks near their own: time grows as their number"},
    {"fam", PatchMemory::kFeedback, "the same, and a memory that goes from block to block through the picture"},
};

constexpr Entry<bool> kBlockWindows[] = {
    {"past", false, "blocks before its own"},
    {"both", true, "as many blocks behind it, too"},
};

void expect(bool ok, const char* field, int64_t value, const char* what) {
  if (!ok) fail("model.{} = {}: {}", field, value, what);
}

// Far beyond any model there is: products of such numbers overflow nothing, and a damaged file cannot ask for all
// memory.
struct Limit {
  const char* field;
  int64_t UVitConfig::*value;
  int64_t most;
};
constexpr Limit kLimits[] = {
    {"depth", &UVitConfig::depth, 1'000},
    {"dim", &UVitConfig::dim, 65'536},
    {"image_size", &UVitConfig::image_size, 4'096},
    {"channels", &UVitConfig::channels, 4'096},
    {"classes", &UVitConfig::classes, 10'000'000},
    {"context_tokens", &UVitConfig::context_tokens, 65'536},
    {"context_dim", &UVitConfig::context_dim, 65'536},
    {"vocabulary", &UVitConfig::vocabulary, 10'000'000},
    {"block", &UVitConfig::block, 16'777'216},
    {"segments", &UVitConfig::segments, 16'777'216},
    {"fam_length", &UVitConfig::fam_length, 65'536},
};
constexpr double kMostMlpRatio = 64;

int64_t linear(int64_t in, int64_t out, bool bias = true) {
  return in * out + (bias ? out : 0);
}

}  // namespace

std::span<const Entry<UVitSize>> uvit_sizes() {
  return kSizes;
}
std::span<const Entry<bool>> kernel_kinds() {
  return kKernelKinds;
}
std::span<const Entry<PatchMemory>> patch_memories() {
  return kPatchMemories;
}
std::span<const Entry<bool>> block_windows() {
  return kBlockWindows;
}

UVitConfig resolve(UVitConfig config) {
  const UVitSize size = find(uvit_sizes(), config.size, "model size").value;
  if (config.depth == 0) config.depth = size.depth;
  if (config.dim == 0) config.dim = size.dim;
  if (config.heads == 0) config.heads = size.heads;
  if (config.context_dim == 0) config.context_dim = config.dim;
  for (const Limit& limit : kLimits)
    if (config.*limit.value > limit.most)
      fail("model.{} = {}: expected at most {}", limit.field, config.*limit.value, limit.most);
  expect(config.depth >= 2, "depth", config.depth, "expected at least 2");
  expect(config.dim >= 2, "dim", config.dim, "expected at least 2");
  expect(config.heads >= 1 && config.dim % config.heads == 0, "heads", config.heads, "expected a divisor of model.dim");
  expect(config.patch >= 1 && config.image_size >= 1 && config.image_size % config.patch == 0, "patch", config.patch,
         "expected a divisor of model.image_size");
  expect(config.channels >= 1, "channels", config.channels, "expected at least 1");
  if (!(config.mlp_ratio > 0 && config.mlp_ratio <= kMostMlpRatio))
    fail("model.mlp_ratio = {}: expected a positive number, at most {}", config.mlp_ratio, kMostMlpRatio);
  expect(config.classes >= 0, "classes", config.classes, "expected 0 (none) or more");
  expect(config.context_tokens >= 0, "context_tokens", config.context_tokens, "expected 0 (none) or more");
  expect(config.classes == 0 || config.context_tokens == 0, "classes", config.classes,
         "a model takes classes or text, not both");
  expect(config.vocabulary == 0 || config.context_tokens > 0, "vocabulary", config.vocabulary,
         "needs model.context_tokens, the longest text in words");
  find(attention_kinds(), config.attention, "attention kind");
  find(attention_kinds(), config.end_attention, "attention kind");
  find(kernel_kinds(), config.kernels, "kind of kernels");
  const PatchMemory memory = patch_memory(config);
  sees_both_sides(config);
  if (memory != PatchMemory::kNone) {
    expect(config.block >= 1, "block", config.block, "expected at least 1 patch");
    expect(config.segments >= 0, "segments", config.segments, "expected 0 (its own block only) or more");
  }
  expect(memory != PatchMemory::kFeedback || config.fam_length >= 1, "fam_length", config.fam_length,
         "expected at least 1 (model.memory = \"bswa\" has no feedback memory)");
  return config;
}

PatchMemory patch_memory(const UVitConfig& config) {
  return find(patch_memories(), config.memory, "memory of patches (model.memory)").value;
}

bool sees_both_sides(const UVitConfig& config) {
  return find(block_windows(), config.window, "window of blocks (model.window)").value;
}

int64_t extra_tokens(const UVitConfig& config) {
  return 1 + (config.classes > 0) + config.context_tokens;
}

int64_t sequence_length(const UVitConfig& config) {
  const int64_t side = config.image_size / config.patch;
  return extra_tokens(config) + side * side;
}

int64_t parameter_count(const UVitConfig& config) {
  const int64_t dim = config.dim, patch_numbers = config.patch * config.patch * config.channels;
  const auto hidden = static_cast<int64_t>(static_cast<double>(dim) * config.mlp_ratio);
  const int64_t norm = 2 * dim, skips = config.skip ? config.depth / 2 : 0;
  const int64_t block =
      2 * norm + linear(dim, 3 * dim, config.qkv_bias) + linear(dim, dim) + linear(dim, hidden) + linear(hidden, dim);
  int64_t count = linear(patch_numbers, dim) + sequence_length(config) * dim + norm + linear(dim, patch_numbers) +
                  (config.depth / 2 * 2 + 1) * block + skips * linear(2 * dim, dim);
  if (config.classes > 0) count += (config.classes + 1) * dim;
  if (config.vocabulary > 0) count += config.vocabulary * config.context_dim;
  if (config.context_tokens > 0) count += linear(config.context_dim, dim);
  if (config.mlp_time_embed) count += linear(dim, 4 * dim) + linear(4 * dim, dim);
  if (config.conv) count += linear(9 * config.channels, config.channels);
  if (patch_memory(config) == PatchMemory::kFeedback) count += config.fam_length * dim;
  return count;
}

}  // namespace uvic
