// The WordPiece tokenizer of BERT (Devlin et al., arXiv 1810.04805), uncased.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace uvic {

class WordPieces {
 public:
  // vocab.txt: one token a line, its id the line's number from 0. Error if it is missing, repeats a token, or lacks
  // [PAD], [UNK], [CLS] or [SEP].
  static WordPieces read(const std::filesystem::path& vocabulary);

  struct Tokens {
    std::vector<int64_t> ids;  // [CLS], the text, [SEP], and as many [PAD] as fill `length`
    int64_t used = 0;          // of them no padding
    int64_t left_out = 0;      // tokens of the text that did not fit
  };
  // Error if `text` is not UTF-8.
  Tokens encode(std::string_view text, int64_t length) const;

  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  int64_t special(const char* token, const std::string& origin) const;
  void append(const std::string& word, std::vector<int64_t>& ids) const;

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int64_t> ids_;
  int64_t pad_ = 0, unknown_ = 0, start_ = 0, end_ = 0;
};

}  // namespace uvic
