#include "encoders/tokens.h"

#include <c10/util/Exception.h>

#include "core/error.h"

namespace uvic {

TokenIds read_token_ids(const nlohmann::json& vocabulary, const std::string& file) {
  constexpr uint64_t kMostIds = 1 << 24;
  if (!vocabulary.is_object()) fail("{}: the vocabulary is not a JSON object of token: id", file);
  TokenIds ids;
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= kMostIds)
      fail("{}: the id of '{}' is {}, expected a whole number below {}", file, token, id.dump(), kMostIds);
    ids[token] = id;
  }
  return ids;
}

Tokens fit_tokens(std::vector<int64_t> ids, int64_t end, int64_t padding, int64_t length) {
  TORCH_CHECK(length >= 2, "no room for a text");
  Tokens tokens;
  tokens.left_out = std::max<int64_t>(0, std::ssize(ids) - (length - 1));
  ids.resize(ids.size() - tokens.left_out);
  ids.push_back(end);
  tokens.used = std::ssize(ids);
  ids.resize(length, padding);
  tokens.ids = std::move(ids);
  return tokens;
}

}  // namespace uvic
