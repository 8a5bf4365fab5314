// The texts in a PNG, and the recipe among them.
#include "app/draw/recipe.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  for (const auto& [key, text] : png_text(bytes, "picture"))
    if (key == kParametersKey) parse_parameters(text, "picture");
}
