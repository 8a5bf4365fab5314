// Texts that a model writes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lm/cogformer.h"
#include "lm/next_token.h"
#include "lm/tokenizer.h"

namespace uvic {

struct TextRequest {
  std::string prompt;
  int64_t tokens = 256;  // at most so many more
  uint64_t seed = 0;
  NextTokenConfig next = {};
};

struct WrittenText {
  std::string text;    // prompt and continuation
  int64_t tokens = 0;  // written
  bool ended = false;  // by the model, else by `tokens`
};

// A pure function of model and request. `on_text` gets the text as it grows: the prompt first;
// what it throws ends it.
WrittenText write_text(const Cogformer& net, const Tokenizer& tokenizer, const TextRequest& request,
                       const std::function<void(std::string_view more)>& on_text = {});

}  // namespace uvic
