// The notations for seeds, grids and shares.
#include "app/cli/seeds.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string text(bytes);
  try {
    TORCH_CHECK(parse_seeds(text).size() <= 1000000);
  } catch (const Error&) {
  }
  try {
    const auto share = parse_share(text);
    TORCH_CHECK(!share || share->of(1000).size() <= 1000);
  } catch (const Error&) {
  }
  parse_columns(text, 6);
}
