// The cleaning of captions, and the two tokenizers behind it.
#include "encoders/clean_text.h"

#include "encoders/clip_tokenizer.h"
#include "encoders/word_pieces.h"
#include "tests/encoders/random_clip.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  static const ClipTokenizer clip = [] {
    BytePairs pairs = byte_tokens();
    pairs.vocabulary.emplace("th", std::ssize(pairs.vocabulary));
    pairs.vocabulary.emplace("the</w>", std::ssize(pairs.vocabulary));
    pairs.merges = {{"t", "h"}, {"th", "e</w>"}};
    pairs.index();
    return ClipTokenizer(pairs);
  }();
  static const WordPieces bert = [] {
    std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a", "the"};
    return WordPieces(tokens, "vocabulary");
  }();
  clean_text(bytes);
  for (const Tokens& tokens : {clip.encode(bytes, 16), bert.encode(bytes, 16)})
    TORCH_CHECK(std::ssize(tokens.ids) == 16);
}
