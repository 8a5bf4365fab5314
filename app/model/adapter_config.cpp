#include "app/model/adapter_config.h"

#include <cmath>

#include "core/error.h"
#include "core/formats/json_file.h"

namespace uvic {
namespace {

constexpr int64_t kMostRank = int64_t{1} << 20;

// Neither absent, nor null, false or empty.
bool says_something(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && !found->is_null() && *found != false && !(found->is_structured() && found->empty());
}

}  // namespace

double AdapterConfig::alpha_of(int64_t rank_of_matrix) const {
  return by_root ? alpha * std::sqrt(static_cast<double>(rank_of_matrix)) : alpha;
}

AdapterConfig parse_adapter_config(const std::string& text, const std::string& what) {
  const nlohmann::json config = parse_json(text, what);
  if (const std::string type = json_string(config, "peft_type", what); type != "LORA")
    fail("{} is of {}: expected LORA, the one kind of adapters that uvic reads", what, type);
  for (const char* key : {"use_dora", "fan_in_fan_out", "alpha_pattern", "lora_bias", "use_qalora", "use_bdlora"})
    if (says_something(config, key))
      fail("{} has {}, which uvic does not know: merge these adapters with PEFT, and convert what that gives", what,
           key);
  return {.rank = json_whole(config, "r", what, 1, kMostRank),
          .alpha = json_number(config, "lora_alpha", what),
          .by_root = says_something(config, "use_rslora")};
}

nlohmann::ordered_json make_adapter_config(const LoraConfig& lora, const std::vector<std::string>& modules,
                                           const std::string& base) {
  const double alpha = lora.alpha > 0 ? lora.alpha : static_cast<double>(lora.rank);
  nlohmann::ordered_json config = {{"peft_type", "LORA"},
                                   {"task_type", nullptr},
                                   {"base_model_name_or_path", base},
                                   {"inference_mode", true},
                                   {"r", lora.rank},
                                   {"lora_alpha", alpha},
                                   {"lora_dropout", 0.0},
                                   {"bias", "none"},
                                   {"fan_in_fan_out", false},
                                   {"use_rslora", false},
                                   {"modules_to_save", nullptr},
                                   {"target_modules", modules}};
  // PEFT says that it is a whole number, and most are.
  if (alpha == std::floor(alpha)) config["lora_alpha"] = static_cast<int64_t>(alpha);
  return config;
}

}  // namespace uvic
