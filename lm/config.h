// The shape of a language model and the sizes it comes in.
#pragma once

#include <span>
#include <string>

#include "core/registry.h"
#include "lm/cogformer.h"

namespace uvic {

struct LmConfig {
  std::string size = "nano";  // a row of lm_sizes(); gives what is 0 here
  int64_t layers = 0;
  int64_t dim = 0;  // width of a token
  int64_t heads = 0, head_dim = 0;
  int64_t hidden = 0;             // width inside the feed-forward
  int64_t vocabulary = 0;         // pieces of the tokenizer
  std::string attention = "cog";  // of every layer but the first and the last, which have softmax
  std::string memory = "none";    // a row of lm_memories()
  int64_t block = 256;            // tokens of a block of memory
  int64_t segments = 1;           // whole blocks before its own that a token sees
  int64_t fam_length = 64;        // vectors of a layer's feedback memory
  bool stop_gradient = false;     // none flows into keys and values of earlier blocks
  double norm_epsilon = 1e-6;
};

struct LmSize {
  int64_t layers, dim, heads, head_dim, hidden, vocabulary;
};
std::span<const Entry<LmSize>> lm_sizes();

struct LmMemory {
  bool windows, feedback;
};
// none | bswa | fam
std::span<const Entry<LmMemory>> lm_memories();

// Fills what is 0 from the size, and checks that all fits together and is of a possible size. Error names the field.
LmConfig resolve(LmConfig config);

// `config` is resolved.
CogformerConfig cogformer_config(const LmConfig& config);
int64_t parameter_count(const LmConfig& config);

}  // namespace uvic
