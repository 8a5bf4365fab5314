// From words to the states a text-to-image model is conditioned on.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/parameters.h"
#include "core/registry.h"
#include "encoders/tokens.h"

namespace uvic {

// A tokenizer and the frozen network that belongs to it.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  // `length`: 2 up to most_tokens(). Error if `text` is not UTF-8.
  virtual Tokens tokens(const std::string& text, int64_t length) const = 0;
  // [1, length, width()] float32, on the device of the network.
  virtual Tensor states(const Tokens& tokens) const = 0;
  Tensor operator()(const std::string& text, int64_t length) const { return states(tokens(text, length)); }

  virtual int64_t most_tokens() const = 0;
  virtual int64_t width() const = 0;
  virtual Parameters parameters() const = 0;
  virtual void to(at::Device device) = 0;

  virtual std::string settings() const = 0;  // config and vocabulary: what decides the states beside the weights
  // config.json and the tokenizer's files, as Hugging Face's classes of these names read them.
  virtual void write_configs(const std::filesystem::path& network, const std::filesystem::path& tokenizer) const = 0;
  virtual const char* network_class() const = 0;
  virtual const char* tokenizer_class() const = 0;
};

// Where the parts of a text encoder are; `config` is config.json in `network`.
struct TextEncoderFiles {
  std::filesystem::path network, tokenizer;
  nlohmann::json config;
};
using LoadTextEncoder = std::unique_ptr<TextEncoder> (*)(const TextEncoderFiles& files);
std::span<const Entry<LoadTextEncoder>> text_encoder_kinds();  // by model_type in config.json

// A folder as Hugging Face's libraries write it: config.json, weights and tokenizer files together, or text_encoder/
// and tokenizer/ in it, or text_encoder/ itself beside tokenizer/; OpenAI's bpe_simple_vocab_16e6.txt.gz may take the
// place of a CLIP's tokenizer files. Or the name of a folder in weights/ of the cache, where scripts/setup --minilm
// puts all-MiniLM-L6-v2. Error that names what is missing.
std::unique_ptr<TextEncoder> load_text_encoder(const std::filesystem::path& folder);

}  // namespace uvic
