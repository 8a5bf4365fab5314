#include "encoders/byte_letters.h"

namespace uvic {
namespace {

bool stands_for_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

std::string utf8_of(int code) {  // below U+0800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

std::array<std::string, 256> make_letters() {
  std::array<std::string, 256> letters;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) letters[byte] = utf8_of(stands_for_itself(byte) ? byte : next++);
  return letters;
}

std::array<unsigned char, 256> make_order() {
  std::array<unsigned char, 256> order{};
  size_t at = 0;
  for (const bool itself : {true, false})
    for (int byte = 0; byte < 256; ++byte)
      if (stands_for_itself(byte) == itself) order[at++] = static_cast<unsigned char>(byte);
  return order;
}

}  // namespace

const std::array<std::string, 256>& byte_letters() {
  static const std::array<std::string, 256> letters = make_letters();
  return letters;
}

const std::array<unsigned char, 256>& bytes_in_order() {
  static const std::array<unsigned char, 256> order = make_order();
  return order;
}

}  // namespace uvic
