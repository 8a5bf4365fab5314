// Passkey retrieval: a number at the beginning of a long text, asked for at its end (arXiv 2404.09173, figure 10; keys
// and filler of Landmark Attention, arXiv 2305.16300).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lm/tokenizer.h"

namespace uvic {

// A text of at most `length` tokens with the begin piece, as much filler as fits; the question ends where the key would
// follow.
struct PasskeyText {
  int64_t key = 0;                        // 1..50000
  std::vector<int32_t> question, answer;  // the answer: pieces of the key, and the end piece
};

// Number `item` of those that `seed` gives. Error if not even a text without filler fits.
PasskeyText passkey_text(const Tokenizer& tokenizer, int64_t length, uint64_t seed, uint64_t item);

// What a tokenizer for these texts is learnt from.
std::vector<std::string> passkey_examples(uint64_t seed);

}  // namespace uvic
