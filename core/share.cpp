#include "core/share.h"

#include <charconv>

namespace uvic {

std::optional<Share> share_in(std::string_view text) {
  constexpr int64_t kMost = 100000;  // so that n * rank fits into 64 bits
  Share share;
  const char* const end = text.data() + text.size();
  const auto [slash, bad_rank] = std::from_chars(text.data(), end, share.rank);
  if (bad_rank != std::errc() || slash == end || *slash != '/') return std::nullopt;
  const auto [rest, bad_size] = std::from_chars(slash + 1, end, share.size);
  if (bad_size != std::errc() || rest != end || share.rank < 0 || share.rank >= share.size || share.size > kMost)
    return std::nullopt;
  return share;
}

}  // namespace uvic
