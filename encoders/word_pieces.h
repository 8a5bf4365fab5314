// The WordPiece tokenizer of BERT (Devlin et al., arXiv 1810.04805), uncased.
#pragma once

#include <filesystem>
#include <string_view>

#include "encoders/tokens.h"

namespace uvic {

class WordPieces {
 public:
  // A token's id is its place. Error, which names `origin`, if one stands there twice, or [PAD], [UNK], [CLS] or [SEP]
  // does not.
  WordPieces(std::vector<std::string> tokens, const std::string& origin);

  // [CLS], the text, [SEP], and as many [PAD] as fill `length`. As in Hugging Face's tokenizers, "[SEP]" and the like
  // in a text are those tokens, and a word of more than 100 letters is unknown. Error if `text` is not UTF-8.
  Tokens encode(std::string_view text, int64_t length) const;

  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  void append(const std::string& word, std::vector<int64_t>& ids) const;

  std::vector<std::string> tokens_;
  TokenIds ids_;
  size_t longest_ = 0;  // bytes of a token
  int64_t pad_, unknown_, start_, end_;
};

// From tokenizer.json, or vocab.txt (a token a line), in a folder. Error if neither is there, or it or
// tokenizer_config.json asks for capitals or accents to be kept.
WordPieces read_word_pieces(const std::filesystem::path& folder);
// vocab.txt and tokenizer_config.json.
void write_word_pieces(const std::filesystem::path& folder, const WordPieces& pieces);

}  // namespace uvic
