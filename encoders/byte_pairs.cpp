#include "encoders/byte_pairs.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/error.h"
#include "encoders/byte_letters.h"

namespace uvic {
namespace {

constexpr std::string_view kEndOfWord = "</w>";

std::string pair_key(const std::string& left, const std::string& right) {
  return left + ' ' + right;
}

}  // namespace

void BytePairs::index() {
  rank_.clear();
  for (size_t i = 0; i < merges.size(); ++i)
    rank_.emplace(pair_key(merges[i].first, merges[i].second), static_cast<int64_t>(i));
}

std::vector<int64_t> BytePairs::encode(std::string_view word) const {
  std::vector<std::string> parts;
  for (const char byte : word) parts.emplace_back(byte_letters()[static_cast<unsigned char>(byte)]);
  if (!parts.empty()) parts.back() += kEndOfWord;

  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  while (parts.size() > 1) {
    int64_t best = kNone;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (const auto found = rank_.find(pair_key(parts[i], parts[i + 1])); found != rank_.end())
        best = std::min(best, found->second);
    if (best == kNone) break;
    const auto& [left, right] = merges[best];
    std::vector<std::string> merged;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i + 1 < parts.size() && parts[i] == left && parts[i + 1] == right)
        merged.push_back(parts[i] + parts[i + 1]), ++i;
      else
        merged.push_back(std::move(parts[i]));
    }
    parts = std::move(merged);
  }

  std::vector<int64_t> ids;
  for (const std::string& part : parts) {
    const auto id = vocabulary.find(part);
    if (id == vocabulary.end()) fail("the tokenizer's vocabulary has no '{}', which its merges lead to", part);
    ids.push_back(id->second);
  }
  return ids;
}

}  // namespace uvic
