// The files of CLIP's vocabulary: tokenizer.json, or vocab.json, a NUL and merges.txt, or OpenAI's list.
#include "encoders/byte_pairs.h"

#include "encoders/clip_tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace uvic::fuzz {
namespace {

void read(const std::filesystem::path& path) {
  try {
    ClipTokenizer(read_byte_pairs(path)).encode("the cat", 8);
  } catch (const Error&) {
  }
}

}  // namespace
}  // namespace uvic::fuzz

FUZZ(bytes) {
  const size_t end = bytes.find('\0');
  if (end == std::string_view::npos) {
    read(put("one/tokenizer.json", bytes));
    read(put("one/bpe_simple_vocab_16e6.txt.gz", bytes));
  } else {
    put("two/merges.txt", bytes.substr(end + 1));
    read(put("two/vocab.json", bytes.substr(0, end)));
  }
}
