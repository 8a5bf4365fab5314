// A file of prompts.
#include "app/cli/prompts.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  TORCH_CHECK(!read_prompts(put("prompts.txt", bytes)).empty());
}
