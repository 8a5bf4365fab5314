// The words of a model, and a text of them.
#include "datasets/vocabulary.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const Vocabulary learned = Vocabulary::build({std::string(bytes)}, 100);
  TORCH_CHECK(std::ssize(learned.encode(bytes, 8).ids) == 8);
  const Vocabulary read = Vocabulary::from_text(std::string(bytes));
  TORCH_CHECK(Vocabulary::from_text(read.to_text()).to_text() == read.to_text());
}
