#include "core/pickle/pickle_text.h"

#include <charconv>
#include <cstdint>

#include "core/error.h"
#include "core/text.h"

namespace uvic {
namespace {

uint32_t parse_hex(std::string_view text, size_t count) {
  const std::string_view digits = text.substr(0, count);
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != count)
    fail("'{}' is not a hexadecimal escape", digits);
  return value;
}

}  // namespace

std::string unquote_bytes(std::string_view repr) {
  if (repr.size() < 2 || repr.front() != repr.back() || (repr.front() != '\'' && repr.front() != '"'))
    fail("a string is not quoted");
  const std::string_view body = repr.substr(1, repr.size() - 2);
  std::string bytes;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      bytes += body[i];
      continue;
    }
    if (++i == body.size()) fail("a string ends within an escape");
    switch (body[i]) {
      case 'n':
        bytes += '\n';
        break;
      case 't':
        bytes += '\t';
        break;
      case 'r':
        bytes += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        bytes += body[i];
        break;
      case 'x':
        bytes += static_cast<char>(parse_hex(body.substr(i + 1), 2));
        i += 2;
        break;
      default:
        fail("unknown escape \\{} in a string", body[i]);
    }
  }
  return bytes;
}

std::string decode_raw_unicode_escape(std::string_view text) {
  std::string utf8;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U');
    if (!escape) {
      append_utf8(utf8, static_cast<unsigned char>(text[i]));
      continue;
    }
    const size_t digits = text[i + 1] == 'u' ? 4 : 8;
    const uint32_t code = parse_hex(text.substr(i + 2), digits);
    if (code > 0x10FFFF) fail("U+{:X} is not a character", code);
    append_utf8(utf8, code);
    i += 1 + digits;
  }
  return utf8;
}

std::string encode_text(std::string_view utf8, std::string_view encoding) {
  if (encoding == "utf-8" || encoding == "utf8") return std::string(utf8);
  if (encoding != "latin1" && encoding != "latin-1" && encoding != "iso-8859-1")
    fail("unknown text encoding '{}'", encoding);
  std::string bytes;
  bytes.reserve(utf8.size());
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      bytes += utf8[i];
    } else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < utf8.size()) {
      bytes += static_cast<char>(lead << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3F));
    } else {
      fail("a text is not Latin-1");
    }
  }
  return bytes;
}

}  // namespace uvic
