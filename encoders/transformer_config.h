// The fields that the config.json of every transformer has, under Hugging Face's names.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace uvic {

// What no model known exceeds: a larger number would take memory before the weights show it wrong.
struct SizeRange {
  int64_t least = 1, most = 1 << 16;
};

// Error names `origin` and the field.
inline void read_size(const nlohmann::json& config, const char* name, int64_t& value, const std::string& origin,
                      SizeRange range = {}) {
  if (!config.contains(name)) return;
  const auto& given = config[name];
  if (!given.is_number_integer() || given.get<int64_t>() < range.least || given.get<int64_t>() > range.most)
    fail("{}: {} is {}, expected a whole number of {} to {}", origin, name, given.dump(), range.least, range.most);
  value = given;
}

// Those that are there. Error as read_size, and if the width cannot be cut into the heads.
template <typename Config>
void read_transformer(const nlohmann::json& config, Config& parsed, const std::string& origin) {
  if constexpr (requires { parsed.vocab_size; }) {  // of text
    read_size(config, "vocab_size", parsed.vocab_size, origin, {.most = 1 << 24});
    // A text has at least a beginning and an end.
    read_size(config, "max_position_embeddings", parsed.max_position_embeddings, origin, {.least = 2});
  }
  read_size(config, "hidden_size", parsed.hidden_size, origin);
  read_size(config, "intermediate_size", parsed.intermediate_size, origin);
  read_size(config, "num_hidden_layers", parsed.num_hidden_layers, origin, {.most = 1000});
  read_size(config, "num_attention_heads", parsed.num_attention_heads, origin);
  if (parsed.hidden_size % parsed.num_attention_heads != 0)
    fail("{}: hidden_size {} is no multiple of num_attention_heads {}", origin, parsed.hidden_size,
         parsed.num_attention_heads);
  if (!config.contains("layer_norm_eps")) return;
  if (!config["layer_norm_eps"].is_number()) fail("{}: layer_norm_eps is not a number", origin);
  parsed.layer_norm_eps = config["layer_norm_eps"];
}

template <typename Config>
nlohmann::json transformer_json(const Config& config) {
  return {{"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.num_hidden_layers},
          {"num_attention_heads", config.num_attention_heads},
          {"max_position_embeddings", config.max_position_embeddings},
          {"layer_norm_eps", config.layer_norm_eps}};
}

}  // namespace uvic
