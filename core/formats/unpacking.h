// How much packed files may unpack to: what keeps a few bytes from taking all memory.
#pragma once

#include <cstdint>

namespace uvic {

// Of a whole archive, whatever its entries: numbers and pictures seldom shrink to a tenth, but an array of zeros does
// to a thousandth, and a small one is no harm.
constexpr uint64_t kUnpackedFreely = uint64_t{256} << 20;
constexpr uint64_t kUnpackedRatio = 50;

constexpr uint64_t most_unpacked(uint64_t packed) {
  return kUnpackedFreely + kUnpackedRatio * packed;
}

}  // namespace uvic
