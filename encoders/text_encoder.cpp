#include "encoders/text_encoder.h"

#include "core/files.h"
#include "core/formats/json_file.h"
#include "encoders/text_encoder_kinds.h"

namespace uvic {
namespace {

constexpr const char *kNetwork = "text_encoder", *kTokenizer = "tokenizer", *kConfig = "config.json";

constexpr Entry<LoadTextEncoder> kKinds[] = {
    {"clip_text_model", load_clip, "the text transformer of CLIP"},
    {"clip", load_clip, "a whole CLIP, of which the text transformer is read"},
    {"bert", load_bert, "BERT, uncased; MiniLM is one"},
};

fs::path find_network(const fs::path& given) {
  const fs::path cached = cache_folder() / "weights" / given, folder = fs::is_directory(given) ? given : cached;
  if (!fs::is_directory(folder))
    fail(
        "no text encoder at '{}'{}: expected a folder with its {}. Give it with --text (in training, "
        "--data.text_encoder); scripts/setup --minilm installs all-MiniLM-L6-v2",
        given.string(), cached == given ? "" : fmt::format(" nor at '{}'", cached.string()), kConfig);
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

}  // namespace

std::span<const Entry<LoadTextEncoder>> text_encoder_kinds() {
  return kKinds;
}

std::unique_ptr<TextEncoder> load_text_encoder(const fs::path& folder) {
  const fs::path network = find_network(folder), file = network / kConfig;
  const TextEncoderFiles files{
      .network = network, .tokenizer = find_tokenizer(network), .config = read_json(file, "config")};
  std::string kind = "clip_text_model";  // of configs that do not say, as older CLIPs' do
  if (files.config.is_object() && files.config.contains("model_type") && files.config["model_type"].is_string())
    kind = files.config["model_type"];
  return find(text_encoder_kinds(), kind, "model_type in " + file.string()).value(files);
}

}  // namespace uvic
