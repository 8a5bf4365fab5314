#include "app/cli/seeds.h"

#include <charconv>

#include "core/error.h"

namespace uvic {
namespace {

constexpr uint64_t kMostSeeds = 1000000;

// The whole of `text` as a number.
bool parse(std::string_view text, uint64_t& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

std::vector<uint64_t> parse_seeds(const std::string& text) {
  std::vector<uint64_t> seeds;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = std::string_view(text).substr(at, comma - at);
    const size_t dash = part.find('-');
    uint64_t first = 0, last = 0;
    if (!parse(part.substr(0, dash), first) || !parse(dash == part.npos ? part : part.substr(dash + 1), last) ||
        last < first)
      fail("'{}': expected numbers and ranges like 0-63 or 1,5,9-12", text);
    if (last - first >= kMostSeeds - seeds.size()) fail("'{}': more than {} seeds", text, kMostSeeds);
    for (uint64_t i = 0; i <= last - first; ++i) seeds.push_back(first + i);  // `last` may be the largest of all
    at = comma + 1;
  }
  return seeds;
}

int64_t parse_columns(const std::string& grid, int64_t count) {
  if (grid.empty() || grid == "auto") return 0;
  const size_t x = grid.find('x');
  uint64_t rows = 0, columns = 0;
  if (x == grid.npos || !parse(std::string_view(grid).substr(0, x), rows) ||
      !parse(std::string_view(grid).substr(x + 1), columns) || rows == 0 || columns == 0 || columns > 10000 ||
      rows > 10000)
    fail("'{}': expected ROWSxCOLUMNS like 4x8, or auto", grid);
  if (static_cast<int64_t>(rows * columns) < count)
    fail("--grid {} holds {} images, but {} are drawn", grid, rows * columns, count);
  return static_cast<int64_t>(columns);
}

std::optional<Share> parse_share(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<Share> share = share_in(text);
  if (!share) fail("'{}': expected I/N, one of 0/N to N-1/N, such as 0/4 for the first of four shards", text);
  return share;
}

}  // namespace uvic
