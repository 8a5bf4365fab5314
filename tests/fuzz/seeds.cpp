// The notations for seeds and grids.
#include "app/cli/seeds.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string text(bytes);
  try {
    TORCH_CHECK(parse_seeds(text).size() <= 1000000);
  } catch (const Error&) {
  }
  parse_columns(text, 6);
}
