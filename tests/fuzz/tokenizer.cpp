// A tokenizer.model of someone else.
#include "lm/tokenizer.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const Tokenizer tokenizer = Tokenizer::from_model(std::string(bytes), "tokenizer");
  const std::vector<int32_t> pieces = tokenizer.encode("a red circle 12 żółć\n");
  for (const int32_t piece : pieces) TORCH_CHECK(piece >= 0 && piece < tokenizer.size());
  tokenizer.decode(pieces);
}
