// Texts as numbers: SentencePiece models (arXiv 1808.06226), own ones and those of others such as Llama 2.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace uvic {

class Tokenizer {
 public:
  // Byte pair encoding of that many pieces, learnt from the texts: nothing of a text is changed or lost (spaces and
  // line breaks count, what has no piece is spelt in bytes), digits are pieces of their own, as in Llama's. The same
  // texts give the same model. Error if the texts are too few for so many pieces, or these for the bytes.
  static Tokenizer train(std::span<const std::string> texts, int64_t pieces);
  // The bytes of a tokenizer.model file. Error, naming `origin`, if they are none, or it has no pieces that begin and
  // end a text.
  static Tokenizer from_model(std::string model, const std::string& origin);

  std::vector<int32_t> encode(std::string_view text) const;  // without the pieces that begin and end it
  std::string decode(std::span<const int32_t> pieces) const;

  int64_t size() const;                // number of pieces
  int32_t begin() const, end() const;  // of a text
  const std::string& model() const { return model_; }

 private:
  Tokenizer(std::string model, const std::string& origin);

  std::string model_;
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> pieces_;
};

}  // namespace uvic
