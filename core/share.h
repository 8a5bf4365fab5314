// Parts of some work: what one of several processes does, without asking the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace uvic {

// Items in a row.
struct Stretch {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  bool has(int64_t i) const { return begin <= i && i < end; }
};

// Items first .. first + count - 1 of a training stream: pictures, or rows of tokens, numbered through all steps. All
// that is drawn for an item depends on (seed, its number) alone, so it is the same item in any batch and on any rank.
struct Items {
  int64_t first = 0, count = 0;
  bool operator==(const Items&) const = default;
};

struct Share {
  int64_t rank = 0, size = 1;

  // Its part of n items. The parts of ranks 0, 1, ... follow one another and differ by at most one item.
  Stretch of(int64_t n) const { return {n * rank / size, n * (rank + 1) / size}; }
  std::string text() const { return std::to_string(rank) + '/' + std::to_string(size); }  // "0/4"
};

// That of a text "0/4"; nothing if it is none.
std::optional<Share> share_in(std::string_view text);

}  // namespace uvic
