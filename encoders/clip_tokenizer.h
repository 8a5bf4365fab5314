// The tokenizer of CLIP's text encoders (Radford et al., arXiv 2103.00020).
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "encoders/byte_pairs.h"

namespace uvic {

class ClipTokenizer {
 public:
  // Error if the vocabulary lacks <|startoftext|> or <|endoftext|>.
  explicit ClipTokenizer(BytePairs pairs);

  // Start of text, the text, end of text, padded with ends of text, as U-ViT's contexts are (OpenAI's own code pads
  // with 0). Error if `text` is not UTF-8.
  Tokens encode(std::string_view text, int64_t length = 77) const;

  const BytePairs& pairs() const { return pairs_; }
  int64_t start_of_text() const { return start_; }
  int64_t end_of_text() const { return end_; }
  int64_t largest_id() const;

 private:
  BytePairs pairs_;
  int64_t start_, end_;
};

}  // namespace uvic
