// adapter_config.json, which Hugging Face's PEFT keeps beside the weights of adapters.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "transformer/lora.h"

namespace uvic {

struct AdapterConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool by_root = false;  // the product counts alpha / sqrt(rank) times (rsLoRA)

  // What with_lora calls alpha, of adapters of this rank, which may be another than the usual one.
  double alpha_of(int64_t rank_of_matrix) const;
};

// Error naming `what` unless it is the config of plain LoRA; what would mean other sums (DoRA, matrices stored the
// other way round, an alpha of their own for some) is refused.
AdapterConfig parse_adapter_config(const std::string& text, const std::string& what);

// What PEFT reads of adapters on these modules.
nlohmann::ordered_json make_adapter_config(const LoraConfig& lora, const std::vector<std::string>& modules,
                                           const std::string& base);

}  // namespace uvic
