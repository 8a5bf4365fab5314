#include "encoders/text_encoder.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json_file.h"
#include "core/pth.h"

namespace uvic {
namespace {

constexpr const char *kNetwork = "text_encoder", *kTokenizer = "tokenizer", *kConfig = "config.json";

fs::path find_network(const fs::path& given) {
  const fs::path cached = cache_folder() / "weights" / given, folder = fs::is_directory(given) ? given : cached;
  if (!fs::is_directory(folder))
    fail(
        "no text encoder at '{}' (nor in {}): expected a folder with its {}; scripts/setup --minilm installs "
        "all-MiniLM-L6-v2",
        given.string(), cached.string(), kConfig);
  for (const fs::path& place : {folder, folder / kNetwork})
    if (fs::exists(place / kConfig)) return place;
  fail("no text encoder in {}: expected {} there or in {}", folder.string(), kConfig, (folder / kNetwork).string());
}

// Together with the weights, or in a folder of its own in or beside theirs.
fs::path find_tokenizer(const fs::path& network) {
  for (const char* file : {"tokenizer.json", "vocab.json", "vocab.txt"})
    if (fs::exists(network / file)) return network;
  const fs::path apart = fs::absolute(network).lexically_normal().parent_path() / kTokenizer;
  const fs::path inside = network / kTokenizer;
  for (const fs::path& place : {inside, apart})
    if (fs::is_directory(place)) return place;
  return network;
}

void expect_together(int64_t words, int64_t vocab_size, const fs::path& folder) {
  if (words > vocab_size)
    fail("the tokenizer in {} has {} tokens, the text encoder {}: they do not belong together", folder.string(), words,
         vocab_size);
}

std::unique_ptr<TextEncoder> load_bert(const nlohmann::json& config, const fs::path& folder, const fs::path& network) {
  const fs::path weights = frozen::find_weights(network, "text encoder");
  WordPieces tokenizer = WordPieces::read(find_tokenizer(network) / "vocab.txt");
  const BertConfig parsed = parse_bert_config(config, (network / kConfig).string());
  expect_together(std::ssize(tokenizer.tokens()), parsed.vocab_size, folder);
  return std::make_unique<BertTextEncoder>(std::move(tokenizer),
                                           Bert(parsed, read_weights(weights).tensors, weights.string()));
}

std::unique_ptr<TextEncoder> load_clip(const nlohmann::json& config, const fs::path& folder, const fs::path& network) {
  const fs::path weights = frozen::find_weights(network, "text encoder");
  ClipTokenizer tokenizer(read_byte_pairs(find_tokenizer(network)));
  const ClipTextConfig parsed = parse_clip_text_config(config, (network / kConfig).string());
  expect_together(std::ssize(tokenizer.pairs().vocabulary), parsed.vocab_size, folder);
  for (const auto& [token, id] : tokenizer.pairs().vocabulary)
    if (id >= parsed.vocab_size)
      fail("the tokenizer in {} has the id {} ('{}'), the text encoder {} tokens: they do not belong together",
           folder.string(), id, token, parsed.vocab_size);
  return std::make_unique<ClipTextEncoder>(std::move(tokenizer),
                                           ClipText(parsed, read_weights(weights).tensors, weights.string()));
}

}  // namespace

Tensor ClipTextEncoder::operator()(const std::string& text, int64_t length) const {
  return net(at::tensor(tokenizer.encode(text, length).ids, at::kLong).unsqueeze(0).to(net.device()));
}

int64_t ClipTextEncoder::left_out(const std::string& text, int64_t length) const {
  return tokenizer.encode(text, length).left_out;
}

Tensor BertTextEncoder::operator()(const std::string& text, int64_t length) const {
  const auto tokens = tokenizer.encode(text, length);
  const Tensor ids = at::tensor(tokens.ids, at::kLong).unsqueeze(0).to(net.device());
  const Tensor real = (at::arange(length, ids.options()) < tokens.used).unsqueeze(0);
  return net(ids, real) * real.unsqueeze(2);
}

int64_t BertTextEncoder::left_out(const std::string& text, int64_t length) const {
  return tokenizer.encode(text, length).left_out;
}

std::unique_ptr<TextEncoder> load_text_encoder(const fs::path& folder) {
  const fs::path network = find_network(folder);
  const nlohmann::json config = read_json(network / kConfig, "config");
  const bool is_bert = config.is_object() && config.contains("model_type") && config["model_type"] == "bert";
  return is_bert ? load_bert(config, folder, network) : load_clip(config, folder, network);
}

}  // namespace uvic
