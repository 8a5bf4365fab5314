// Texts that a model writes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "lm/cogformer.h"
#include "lm/next_token.h"
#include "lm/tokenizer.h"

namespace uvic {

// The tokens that go on with `prompt`, at most `count` of them: a pure function of model, prompt, seed and `config`.
// `take` gets each as it is chosen, and ends it by returning false.
void write_tokens(const Cogformer& net, std::span<const int32_t> prompt, int64_t count, uint64_t seed,
                  const NextTokenConfig& config, const std::function<bool(int32_t)>& take);

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
