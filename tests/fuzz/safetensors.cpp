#include "core/formats/safetensors.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  look_at(read_safetensors(put("a.safetensors", bytes)).tensors);
}
