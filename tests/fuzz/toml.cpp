// TOML. A text is written as TOML that says the same.
#include "app/cli/toml.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  for (const TomlItem& item : parse_toml(std::string(bytes), "config")) {
    const std::string line = "[a]\nb = " + toml_string(item.value);
    TORCH_CHECK(parse_toml(line, "config").at(0).value == item.value, line);
  }
}
