// The card in the metadata of a model: config, step, class names, words and text encoder, one after the other, with
// a NUL between.
#include <array>

#include "app/model/model.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  std::map<std::string, std::string> metadata;
  constexpr std::array kKeys = {"uvic.config",     "uvic.step",         "uvic.classes",
                                "uvic.vocabulary", "uvic.text_encoder", "uvic.init_sha256"};
  for (const char* key : kKeys) {
    const size_t end = bytes.find('\0');
    metadata[key] = std::string(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
  }
  if (const auto card = ModelCard::from_metadata(metadata, "model")) card->to_metadata();
}
