// PEFT's adapter_config.json, beside the adapters of a matrix.
#include "app/model/adapter_file.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  static const std::filesystem::path adapters = [] {
    const std::filesystem::path file = put("peft/adapter_model.safetensors", "");
    write_safetensors(file, {{{"base_model.model.a.lora_A.weight", at::ones({2, 3})},
                              {"base_model.model.a.lora_B.weight", at::ones({4, 2})}},
                             {}});
    return file.parent_path();
  }();
  put("peft/adapter_config.json", bytes);
  const AdapterFile read = read_adapter_file(adapters);
  TORCH_CHECK(read.config.rank > 0 && std::isfinite(read.config.alpha));
}
