// The config of a run. What was read is printed as a text that says the same.
#include "app/cli/options.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string printed = print_config<RunOptions>(parse_config<RunOptions>(std::string(bytes), "config"));
  TORCH_CHECK(print_config<RunOptions>(parse_config<RunOptions>(printed, "config")) == printed, printed);
}
