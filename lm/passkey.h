// Passkey retrieval: a number at the beginning of a long text, asked for at its end (arXiv 2404.09173, figure 10; keys
// and filler of Landmark Attention, arXiv 2305.16300).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lm/tokenizer.h"

namespace uvic {

// A text of exactly so many tokens with its answer, whose filler is repeated as it is read: a long one takes no memory.
class PasskeyText {
 public:
  // Number `item` of those that `seed` gives. Error if not even a text without filler fits.
  PasskeyText(const Tokenizer& tokenizer, int64_t length, uint64_t seed, uint64_t item);

  int64_t key() const { return key_; }                            // 1..50000
  const std::vector<int32_t>& answer() const { return answer_; }  // pieces of the key, and the end piece
  int64_t question_length() const { return question_length_; }
  // Token i of the question, which begins with the begin piece and ends where the key would follow.
  int32_t question(int64_t i) const;

 private:
  int64_t key_, question_length_;
  std::vector<int32_t> before_, filler_, after_, answer_;
};

// What a tokenizer for these texts is learnt from.
std::vector<std::string> passkey_examples(uint64_t seed);

}  // namespace uvic
