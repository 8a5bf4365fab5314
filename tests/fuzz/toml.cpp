// TOML, and the config of a run. A config that was read is printed as a text that says the same.
#include "app/toml.h"

#include "app/options.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string text(bytes);
  for (const TomlItem& item : parse_toml(text, "config")) toml_string(item.value);
  const std::string printed = print_run_config(parse_run_config(text, "config"));
  TORCH_CHECK(print_run_config(parse_run_config(printed, "config")) == printed, printed);
}
