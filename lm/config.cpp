#include "lm/config.h"

#include "core/error.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

// nano and tiny are ours, for CPUs; base is the model of arXiv 2411.07176.
constexpr Entry<LmSize> kLmSizes[] = {
    {"nano", {4, 128, 2, 64, 256, 1024}, "0.9M parameters, trains in minutes on a CPU"},
    {"tiny", {6, 192, 3, 64, 512, 4096}, "4.2M"},
    {"base", {12, 768, 12, 64, 2304, 32000}, "141M, the paper's size"},
};

constexpr Entry<LmMemory> kLmMemories[] = {
    {"none", {false, false}, "every token sees all before it"},
    {"bswa", {true, false}, "block sliding window attention: its own block and so many before"},
    {"fam", {true, true}, "the same with feedback attention memory, which holds what lies before"},
};

// Far beyond any model there is, so that products of such numbers overflow nothing.
struct LmLimit {
  const char* field;
  int64_t LmConfig::*value;
  int64_t most;
};
constexpr LmLimit kLmLimits[] = {
    {"layers", &LmConfig::layers, 1'000},     {"dim", &LmConfig::dim, 65'536},
    {"heads", &LmConfig::heads, 1'024},       {"head_dim", &LmConfig::head_dim, 1'024},
    {"hidden", &LmConfig::hidden, 1'000'000}, {"vocabulary", &LmConfig::vocabulary, 10'000'000},
    {"block", &LmConfig::block, 10'000'000},  {"segments", &LmConfig::segments, 100'000},
};

void expect_lm(bool ok, const char* field, int64_t value, const char* what) {
  if (!ok) fail("lm.{} = {}: {}", field, value, what);
}

}  // namespace

std::span<const Entry<LmSize>> lm_sizes() {
  return kLmSizes;
}
std::span<const Entry<LmMemory>> lm_memories() {
  return kLmMemories;
}

LmConfig resolve(LmConfig config) {
  const LmSize size = find(lm_sizes(), config.size, "language model size").value;
  const auto fill = [](int64_t& field, int64_t value) {
    if (field == 0) field = value;
  };
  fill(config.layers, size.layers);
  fill(config.dim, size.dim);
  fill(config.heads, size.heads);
  fill(config.head_dim, size.head_dim);
  fill(config.hidden, size.hidden);
  fill(config.vocabulary, size.vocabulary);
  for (const LmLimit& limit : kLmLimits)
    if (config.*limit.value > limit.most)
      fail("lm.{} = {}: expected at most {}", limit.field, config.*limit.value, limit.most);
  expect_lm(config.layers >= 1, "layers", config.layers, "expected at least 1");
  expect_lm(config.dim >= 1, "dim", config.dim, "expected at least 1");
  expect_lm(config.heads >= 1, "heads", config.heads, "expected at least 1");
  expect_lm(config.head_dim >= 2 && config.head_dim % 2 == 0, "head_dim", config.head_dim,
            "rotary positions need an even number, at least 2");
  expect_lm(config.hidden >= 1, "hidden", config.hidden, "expected at least 1");
  expect_lm(config.vocabulary >= 1, "vocabulary", config.vocabulary, "expected at least 1");
  find(attention_kinds(), config.attention, "attention kind");
  const LmMemory memory = find(lm_memories(), config.memory, "memory").value;
  if (!memory.windows) return config;
  expect_lm(config.block >= 1, "block", config.block, "a memory needs blocks of at least 1 token");
  expect_lm(config.segments >= 0, "segments", config.segments, "expected 0 (its own block only) or more");
  if (memory.feedback)
    expect_lm(config.fam_length >= 1 && config.fam_length <= config.block, "fam_length", config.fam_length,
              "memory fam needs at least 1 vector and at most lm.block");
  return config;
}

CogformerConfig cogformer_config(const LmConfig& config) {
  const LmMemory memory = find(lm_memories(), config.memory, "memory").value;
  return {.vocabulary = config.vocabulary,
          .layers = config.layers,
          .dim = config.dim,
          .heads = config.heads,
          .head_dim = config.head_dim,
          .hidden = config.hidden,
          .attention = inner_attention(config.attention, config.layers),
          .norm_epsilon = config.norm_epsilon,
          .memory = {.block = memory.windows ? config.block : 0,
                     .segments = memory.windows ? config.segments : 0,
                     .fam_length = memory.feedback ? config.fam_length : 0,
                     .stop_gradient = memory.windows && config.stop_gradient}};
}

int64_t parameter_count(const LmConfig& config) {
  const int64_t layer =
      4 * config.dim * config.heads * config.head_dim + 3 * config.dim * config.hidden + 2 * config.dim;
  const bool feedback = find(lm_memories(), config.memory, "memory").value.feedback;
  return 2 * config.vocabulary * config.dim + config.layers * layer + config.dim +
         (feedback ? config.fam_length * config.dim : 0);
}

}  // namespace uvic
