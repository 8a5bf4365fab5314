// Small notations of the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/share.h"

namespace uvic {

// "0-3,7" -> 0 1 2 3 7. Error for anything else, and for more than 1,000,000 seeds.
std::vector<uint64_t> parse_seeds(const std::string& text);

// "RxC" -> C, checked to hold `count` images; "" or "auto" -> 0 (as square as possible).
int64_t parse_columns(const std::string& grid, int64_t count);

// "1/4" -> the second of four shares; "" -> none. Error for anything else.
std::optional<Share> parse_share(const std::string& text);

}  // namespace uvic
