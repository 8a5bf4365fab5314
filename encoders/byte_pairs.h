// Byte-level byte pair encoding (Sennrich et al., arXiv 1508.07909; on bytes as in GPT-2 and CLIP): a word becomes its
// bytes, and neighbours are merged in the order in which the training of the vocabulary merged them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "encoders/tokens.h"

namespace uvic {

constexpr std::string_view kEndOfWord = "</w>";

// Tokens are spelled with one printable character for each byte, as in the files ("Ġ" for a space); the last one of a
// word ends in kEndOfWord.
struct BytePairs {
  TokenIds vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // by rank

  void index();  // after a change of `merges`
  // The ids of one word, given as UTF-8. Error if the vocabulary lacks a token that the merges make.
  std::vector<int64_t> encode(std::string_view word) const;

 private:
  std::unordered_map<std::string, int64_t> rank_;  // "left right" -> place in `merges`
};

// From whatever of these is there: tokenizer.json; vocab.json and merges.txt; bpe_simple_vocab_16e6.txt.gz (CLIP's own,
// whose ids follow from the order of its lines). `path` is one of the files or a folder of them.
BytePairs read_byte_pairs(const std::filesystem::path& path);

// vocab.json and merges.txt.
void write_byte_pairs(const std::filesystem::path& folder, const BytePairs& pairs);

}  // namespace uvic
