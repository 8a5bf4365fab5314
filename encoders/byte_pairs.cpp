#include "encoders/byte_pairs.h"

#include <map>
#include <set>

#include "core/error.h"
#include "encoders/byte_letters.h"

namespace uvic {
namespace {

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
  // A part that was merged into the one before it is empty; `next` and `previous` step over those.
  const size_t size = word.size();
  std::vector<std::string> parts(size);
  std::vector<size_t> next(size), previous(size);
  for (size_t i = 0; i < size; ++i) {
    parts[i] = byte_letters()[static_cast<unsigned char>(word[i])];
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  if (size > 0) parts.back() += kEndOfWord;

  // Places of pairs by rank, so that a long word takes no more time a letter than a short one. A place may be out of
  // date: what stands there is compared when its turn comes.
  std::map<int64_t, std::set<size_t>> places;
  const auto note_pair = [&](size_t left) {
    if (left >= size || next[left] >= size) return;
    if (const auto found = rank_.find(pair_key(parts[left], parts[next[left]])); found != rank_.end())
      places[found->second].insert(left);
  };
  for (size_t i = 0; i + 1 < size; ++i) note_pair(i);
  while (!places.empty()) {
    const auto& [left, right] = merges[places.begin()->first];
    const std::set<size_t> of_rank = std::move(places.extract(places.begin()).mapped());
    std::vector<size_t> merged;
    for (const size_t at : of_rank) {
      if (parts[at] != left || next[at] >= size || parts[next[at]] != right) continue;
      const size_t gone = next[at];
      parts[at] += parts[gone];
      parts[gone].clear();
      next[at] = next[gone];
      if (next[at] < size) previous[next[at]] = at;
      merged.push_back(at);
    }
    for (const size_t at : merged) {
      note_pair(previous[at]);
      note_pair(at);
    }
  }

  std::vector<int64_t> ids;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    const auto id = vocabulary.find(part);
    if (id == vocabulary.end()) fail("the tokenizer's vocabulary has no '{}', which its merges lead to", part);
    ids.push_back(id->second);
  }
  return ids;
}

}  // namespace uvic
