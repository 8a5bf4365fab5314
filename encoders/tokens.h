// What tokenizers have in common.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace uvic {

using TokenIds = std::unordered_map<std::string, int64_t>;  // token -> id

// From a JSON object of token: id. Error names `file`.
TokenIds read_token_ids(const nlohmann::json& vocabulary, const std::string& file);

struct Tokens {
  std::vector<int64_t> ids;  // start, the text, end, padding
  int64_t used = 0;          // of them no padding
  int64_t left_out = 0;      // tokens of the text that did not fit
};

// `ids` (start and text) with `end` behind and padding up to `length`; if that is too long the text is cut off.
Tokens fit_tokens(std::vector<int64_t> ids, int64_t end, int64_t padding, int64_t length);

}  // namespace uvic
