#include "encoders/text_encoder.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json_file.h"
#include "core/pth.h"

namespace uvic {
namespace {

constexpr const char *kNetwork = "text_encoder", *kTokenizer = "tokenizer", *kConfig = "config.json";

fs::path find_network(const fs::path& folder) {
  if (!fs::is_directory(folder))
    fail("no text encoder at '{}': expected a folder with its {}", folder.string(), kConfig);
  for (const fs::path& place : {folder, folder / kNetwork})
    if (fs::exists(place / kConfig)) return place;
  fail("no text encoder in {}: expected {} there or in {}", folder.string(), kConfig, (folder / kNetwork).string());
}

// Together with the weights, or in a folder of its own in or beside theirs.
fs::path find_tokenizer(const fs::path& network) {
  for (const char* file : {"tokenizer.json", "vocab.json"})
    if (fs::exists(network / file)) return network;
  const fs::path apart = fs::absolute(network).lexically_normal().parent_path() / kTokenizer;
  const fs::path inside = network / kTokenizer;
  for (const fs::path& place : {inside, apart})
    if (fs::is_directory(place)) return place;
  return network;
}

}  // namespace

Tensor TextEncoder::operator()(const std::string& text) const {
  const auto tokens = tokenizer.encode(text, net.config().max_position_embeddings);
  return net(at::tensor(tokens.ids, at::kLong).unsqueeze(0).to(net.device()));
}

TextEncoder load_text_encoder(const fs::path& folder) {
  const fs::path network = find_network(folder), config = network / kConfig;
  const fs::path weights = frozen::find_weights(network, "text encoder");
  ClipTokenizer tokenizer(read_byte_pairs(find_tokenizer(network)));
  const ClipTextConfig parsed = parse_clip_text_config(read_json(config, "config"), config.string());
  const auto words = static_cast<int64_t>(tokenizer.pairs().vocabulary.size());
  if (words > parsed.vocab_size)
    fail("the tokenizer in {} has {} tokens, the text encoder {}: they do not belong together", folder.string(), words,
         parsed.vocab_size);
  for (const auto& [token, id] : tokenizer.pairs().vocabulary)
    if (id >= parsed.vocab_size)
      fail("the tokenizer in {} has the id {} ('{}'), the text encoder {} tokens: they do not belong together",
           folder.string(), id, token, parsed.vocab_size);
  return {std::move(tokenizer), ClipText(parsed, read_weights(weights).tensors, weights.string())};
}

}  // namespace uvic
