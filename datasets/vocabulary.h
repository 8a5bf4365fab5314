// A word tokenizer learned from training captions: lower-cased words (letters, digits, inner apostrophes) and single
// punctuation characters, most frequent first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace uvic {

class Vocabulary {
 public:
  static constexpr int64_t kPad = 0;  // also the whole of the empty caption, i.e. "no text"
  static constexpr int64_t kUnknown = 1;

  // The words that occur at least `min_count` times, at most `max_size` ids in all; ties are broken alphabetically.
  static Vocabulary build(const std::vector<std::string>& captions, int64_t max_size, int64_t min_count = 1);
  static Vocabulary from_text(const std::string& text);  // as to_text() wrote it: one word a line; else Error
  std::string to_text() const;

  static int64_t count_words(std::string_view text);

  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  // By id; the first two stand for no word and for all others.
  const std::vector<std::string>& words() const { return words_; }

  struct Encoded {
    std::vector<int64_t> ids;          // exactly `length`, padded with kPad
    std::vector<std::string> unknown;  // words of the text that are not in the vocabulary, once each
    int64_t dropped = 0;               // words beyond `length`
  };
  Encoded encode(std::string_view text, int64_t length) const;

 private:
  std::vector<std::string> words_;  // index = id; words_[0] = "<pad>", words_[1] = "<unknown>"
  std::unordered_map<std::string, int64_t> ids_;
};

}  // namespace uvic
