#include <map>

#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "encoders/clip_text.h"
#include "encoders/clip_tokenizer.h"
#include "encoders/text_encoder_kinds.h"

namespace uvic {
namespace {

// Padding has states of its own.
class ClipTextEncoder final : public NetworkTextEncoder<ClipText> {
 public:
  ClipTextEncoder(ClipText network, ClipTokenizer tokenizer)
      : NetworkTextEncoder(std::move(network)), tokenizer_(std::move(tokenizer)) {}

  Tokens tokens(const std::string& text, int64_t length) const override { return tokenizer_.encode(text, length); }
  Tensor states(const Tokens& tokens) const override { return read(tokens, std::ssize(tokens.ids)); }

  std::string settings() const override {
    const BytePairs& pairs = tokenizer_.pairs();
    std::string lines = to_json(net_.config()).dump();
    for (const auto& [token, id] : std::map(pairs.vocabulary.begin(), pairs.vocabulary.end()))
      lines += fmt::format("{} {}\n", token, id);
    for (const auto& [left, right] : pairs.merges) lines += fmt::format("{} {}\n", left, right);
    return lines;
  }

  const char* network_class() const override { return "CLIPTextModel"; }
  const char* tokenizer_class() const override { return "CLIPTokenizer"; }

  void write_configs(const fs::path& network, const fs::path& tokenizer) const override {
    nlohmann::json config = to_json(net_.config());
    config["bos_token_id"] = tokenizer_.start_of_text();
    config["eos_token_id"] = config["pad_token_id"] = tokenizer_.end_of_text();
    write_json(network / "config.json", config);
    write_byte_pairs(tokenizer, tokenizer_.pairs());
    nlohmann::json special = {{"bos_token", "<|startoftext|>"},
                              {"eos_token", "<|endoftext|>"},
                              {"pad_token", "<|endoftext|>"},
                              {"unk_token", "<|endoftext|>"}};
    write_json(tokenizer / "special_tokens_map.json", special);
    special.update(
        {{"tokenizer_class", tokenizer_class()}, {"do_lower_case", true}, {"model_max_length", most_tokens()}});
    write_json(tokenizer / "tokenizer_config.json", special);
  }

 private:
  ClipTokenizer tokenizer_;
};

}  // namespace

std::unique_ptr<TextEncoder> load_clip(const TextEncoderFiles& files) {
  const fs::path weights = frozen::find_weights(files.network, "text encoder");
  ClipTokenizer tokenizer(read_byte_pairs(files.tokenizer));
  const ClipTextConfig config = parse_clip_text_config(files.config, (files.network / "config.json").string());
  expect_together(tokenizer.largest_id(), config.vocab_size, files);
  return std::make_unique<ClipTextEncoder>(ClipText(config, read_weights(weights).tensors, weights.string()),
                                           std::move(tokenizer));
}

}  // namespace uvic
