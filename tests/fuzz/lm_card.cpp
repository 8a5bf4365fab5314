// What the metadata of a language model's file say.
#include "app/model/language_model.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string text(bytes);
  const size_t end = std::min(text.find('\0'), text.size());
  LmCard::from_metadata(
      {{LmCard::kConfigEntry, text.substr(0, end)}, {"uvic.tokenizer", text.substr(std::min(end + 1, text.size()))}},
      "a file");
}
