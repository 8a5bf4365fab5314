// PBM, PGM and PPM, plain and raw: "P1" to "P6", numbers parted by white space, "#" for comments.
#include <algorithm>

#include "core/error.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

class Numbers {
 public:
  Numbers(std::string_view rest, const std::string& name) : rest_(rest), name_(name) {}

  [[noreturn]] void damaged() const { fail("{}: damaged or truncated PNM", name_); }

  // A whole number of at most `most`.
  int64_t next(int64_t most) {
    skip_space();
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      value = 10 * value + rest_[digits] - '0';
      if (value > most) damaged();
    }
    if (digits == 0) damaged();
    rest_.remove_prefix(digits);
    return value;
  }

  int64_t next_bit() {  // in P1 they need no space between them
    skip_space();
    if (rest_.empty() || (rest_[0] != '0' && rest_[0] != '1')) damaged();
    const int64_t bit = rest_[0] - '0';
    rest_.remove_prefix(1);
    return bit;
  }

  // What is behind the header and the one white space that ends it.
  std::string_view raw() {
    if (rest_.empty() || kSpace.find(rest_[0]) == std::string_view::npos) damaged();
    return rest_.substr(1);
  }

 private:
  void skip_space() {
    while (!rest_.empty()) {
      if (rest_[0] == '#')
        rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size()));
      else if (kSpace.find(rest_[0]) != std::string_view::npos)
        rest_.remove_prefix(1);
      else
        return;
    }
  }

  std::string_view rest_;
  const std::string& name_;
};

}  // namespace

Tensor decode_pnm(std::string_view bytes, const std::string& name, Alpha) {
  const int kind = bytes[1] - '0';
  const bool bits = kind == 1 || kind == 4, plain = kind <= 3, colours = kind == 3 || kind == 6;
  Numbers numbers(bytes.substr(2), name);
  const int64_t width = numbers.next(INT32_MAX), height = numbers.next(INT32_MAX);
  const int64_t most = bits ? 1 : numbers.next(65535);
  if (most == 0) numbers.damaged();
  const std::string_view raw = plain ? std::string_view() : numbers.raw();
  const int64_t channels = colours ? 3 : 1, number_bytes = most > 255 ? 2 : 1;
  const Tensor image = new_picture(width, height, /*work=*/0, name);
  const int64_t row = bits ? (width + 7) / 8 : width * channels * number_bytes;
  if (!plain && row * height > std::ssize(raw)) numbers.damaged();

  const auto number = [&](int64_t y, int64_t i) -> int64_t {
    if (plain) return bits ? numbers.next_bit() : numbers.next(most);
    const auto* line = reinterpret_cast<const unsigned char*>(raw.data()) + y * row;
    if (bits) return line[i / 8] >> (7 - i % 8) & 1;
    return std::min<int64_t>(number_bytes == 2 ? line[2 * i] << 8 | line[2 * i + 1] : line[i], most);
  };
  auto* out = image.data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t i = 0; i < width * channels; ++i) {
      // Rounded to even at a half, as Python does; in bitmaps 1 is black.
      const int64_t value = number(y, i);
      const auto byte = static_cast<uint8_t>(
          bits ? 255 * (1 - value) : std::nearbyint(static_cast<double>(value) / static_cast<double>(most) * 255));
      for (int64_t c = 0; c < 3 / channels; ++c) *out++ = byte;
    }
  return image;
}

}  // namespace uvic
