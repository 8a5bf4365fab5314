#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "encoders/bert.h"
#include "encoders/text_encoder_kinds.h"
#include "encoders/word_pieces.h"

namespace uvic {
namespace {

// The states of padding are zero: a BERT is not made to read it, so the states of a text depend on the text alone.
class BertTextEncoder final : public NetworkTextEncoder<Bert> {
 public:
  BertTextEncoder(Bert network, WordPieces tokenizer)
      : NetworkTextEncoder(std::move(network)), tokenizer_(std::move(tokenizer)) {}

  Tokens tokens(const std::string& text, int64_t length) const override { return tokenizer_.encode(text, length); }
  Tensor states(const Tokens& tokens) const override {
    return at::constant_pad_nd(read(tokens, tokens.used), {0, 0, 0, std::ssize(tokens.ids) - tokens.used});
  }

  std::string settings() const override {
    std::string lines = to_json(net_.config()).dump();
    for (const std::string& token : tokenizer_.tokens()) lines += token + '\n';
    return lines;
  }

  const char* network_class() const override { return "BertModel"; }
  const char* tokenizer_class() const override { return "BertTokenizer"; }

  void write_configs(const fs::path& network, const fs::path& tokenizer) const override {
    write_json(network / "config.json", to_json(net_.config()));
    write_word_pieces(tokenizer, tokenizer_);
  }

 private:
  WordPieces tokenizer_;
};

}  // namespace

std::unique_ptr<TextEncoder> load_bert(const TextEncoderFiles& files) {
  const fs::path weights = frozen::find_weights(files.network, "text encoder");
  WordPieces tokenizer = read_word_pieces(files.tokenizer);
  const BertConfig config = parse_bert_config(files.config, (files.network / "config.json").string());
  expect_together(std::ssize(tokenizer.tokens()) - 1, config.vocab_size, files);
  return std::make_unique<BertTextEncoder>(Bert(config, read_weights(weights).tensors, weights.string()),
                                           std::move(tokenizer));
}

}  // namespace uvic
