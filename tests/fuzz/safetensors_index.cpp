// An index of weights beside two files of one tensor each.
#include "core/formats/safetensors_index.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  static const bool written = [] {
    for (const std::string name : {"a", "b"}) {
      const Tensor ones = at::ones({2, 3});
      write_safetensors(folder() / (name + ".safetensors"), {{{name, ones}}, {}});
    }
    return true;
  }();
  TORCH_CHECK(written);
  look_at(read_sharded_safetensors(put("model.safetensors.index.json", bytes)).tensors);
}
