// What a language model is trained on.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "app/cli/lm_config.h"
#include "core/registry.h"
#include "core/share.h"
#include "lm/tokenizer.h"
#include "transformer/visible_keys.h"

namespace uvic {

struct TextBatch {
  Tensor tokens;   // [B, L] int64
  Tensor counted;  // [B, L] bool: what the loss counts; undefined: all but the first of a row
  VisibleKeys visible;
};
// These rows of a training run: a pure function.
using TextBatchAt = std::function<TextBatch(Items items)>;

struct TextSource {
  std::string description;  // one line
  Tokenizer tokenizer;
  TextBatchAt batch_at;
};

// Opens the source and fills in the config what it tells: sizes, the tokenizer's pieces, the run's name. `known`: the
// tokenizer of a run that goes on. Error if text, tokenizer and model do not fit.
using OpenTextSource = TextSource (*)(LmRunConfig& config, const std::optional<Tokenizer>& known);
// text (files) | passkey (made up)
std::span<const Entry<OpenTextSource>> text_sources();
TextSource open_text_source(LmRunConfig& config, const std::optional<Tokenizer>& known);

}  // namespace uvic
