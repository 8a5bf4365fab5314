// Which part of a training stream is meant.
#pragma once

#include <cstdint>

namespace uvic {

// Items first .. first + count - 1 of a training stream: pictures, or rows of tokens, numbered through all steps. All
// that is drawn for an item depends on (seed, its number) alone, so it is the same item in any batch and on any rank.
struct Items {
  int64_t first = 0, count = 0;
  bool operator==(const Items&) const = default;
};

}  // namespace uvic
