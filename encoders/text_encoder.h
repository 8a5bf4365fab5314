// From words to the states a text-to-image model is conditioned on.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "encoders/bert.h"
#include "encoders/clip_text.h"
#include "encoders/clip_tokenizer.h"
#include "encoders/word_pieces.h"

namespace uvic {

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  // [1, length, width()] float32, on the device of the network; length up to most_tokens().
  virtual Tensor operator()(const std::string& text, int64_t length) const = 0;
  virtual int64_t left_out(const std::string& text, int64_t length) const = 0;  // tokens of the text that do not fit
  virtual int64_t most_tokens() const = 0;
  virtual int64_t width() const = 0;
  virtual void to(at::Device device) = 0;
};

// Padded with ends of text, which have states of their own.
struct ClipTextEncoder final : TextEncoder {
  ClipTextEncoder(ClipTokenizer tokens, ClipText network) : tokenizer(std::move(tokens)), net(std::move(network)) {}
  Tensor operator()(const std::string& text, int64_t length) const override;
  int64_t left_out(const std::string& text, int64_t length) const override;
  int64_t most_tokens() const override { return net.config().max_position_embeddings; }
  int64_t width() const override { return net.config().hidden_size; }
  void to(at::Device device) override { net.to(device); }

  ClipTokenizer tokenizer;
  ClipText net;
};

// MiniLM, say. States of padding are zero: those of the text do not depend on `length`, and nothing else is said.
struct BertTextEncoder final : TextEncoder {
  BertTextEncoder(WordPieces tokens, Bert network) : tokenizer(std::move(tokens)), net(std::move(network)) {}
  Tensor operator()(const std::string& text, int64_t length) const override;
  int64_t left_out(const std::string& text, int64_t length) const override;
  int64_t most_tokens() const override { return net.config().max_position_embeddings; }
  int64_t width() const override { return net.config().hidden_size; }
  void to(at::Device device) override { net.to(device); }

  WordPieces tokenizer;
  Bert net;
};

// A folder as Hugging Face's libraries write it: config.json, weights and tokenizer files together, or text_encoder/
// and tokenizer/ in it, or text_encoder/ itself beside tokenizer/; or the name of one in weights/ of the cache, where
// scripts/setup --minilm puts all-MiniLM-L6-v2. model_type in config.json says whether it is a BERT, with vocab.txt, or
// a CLIP, in which OpenAI's bpe_simple_vocab_16e6.txt.gz may take the place of the tokenizer files. Error that names
// what is missing.
std::unique_ptr<TextEncoder> load_text_encoder(const std::filesystem::path& folder);

}  // namespace uvic
