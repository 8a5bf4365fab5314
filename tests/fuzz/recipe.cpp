// The text of a recipe. What was read is written as a text that says the same.
#include "app/draw/recipe.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const Recipe recipe = parse_parameters(std::string(bytes), "recipe");
  const std::string text = to_parameters(recipe);
  TORCH_CHECK(to_parameters(parse_parameters(text, "recipe")) == text, text);
}
