// The files of BERT's vocabulary: tokenizer.json, vocab.txt, tokenizer_config.json.
#include "encoders/word_pieces.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  for (const char* name : {"tokenizer.json", "vocab.txt", "tokenizer_config.json"}) {
    put("bert/" + std::string(name), bytes);
    try {
      read_word_pieces(folder() / "bert").encode("the cat", 8);
    } catch (const Error&) {
    }
    std::filesystem::remove(folder() / "bert" / name);
  }
}
