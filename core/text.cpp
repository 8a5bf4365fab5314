#include "core/text.h"

#include <algorithm>
#include <cstdint>

namespace uvic {
namespace {

uint8_t byte_at(std::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]);
}

// Bytes of the character that starts at `at`, 0 if none does: the table 3-7 of the Unicode standard.
size_t character_bytes(std::string_view text, size_t at) {
  const uint8_t first = byte_at(text, at);
  if (first < 0x80) return 1;
  const size_t bytes = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (bytes == 0 || bytes > text.size() - at) return 0;
  const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;   // else it is overlong
  const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;  // else a surrogate, or too large
  if (byte_at(text, at + 1) < low || byte_at(text, at + 1) > high) return 0;
  for (size_t i = 2; i < bytes; ++i)
    if ((byte_at(text, at + i) & 0xC0) != 0x80) return 0;
  return bytes;
}

uint32_t code_point(std::string_view character) {
  uint32_t value = byte_at(character, 0);
  if (character.size() > 1) value &= 0xFF >> (character.size() + 1);
  for (size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte_at(character, i) & 0x3F);
  return value;
}

void append_hex(std::string& out, const char* mark, uint32_t value, int digits) {
  out += mark;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.push_back("0123456789abcdef"[value >> shift & 0xF]);
}

// Line and paragraph separators and what turns the direction of writing, so that a name reads as another.
bool misleads(uint32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = character_bytes(text, at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = character_bytes(text, at);
    if (bytes == 0)
      append_utf8(valid, 0xFFFD);
    else
      valid += text.substr(at, bytes);
    at += std::max<size_t>(bytes, 1);
  }
  return valid;
}

void append_utf8(std::string& text, uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // continuation bytes
  const uint32_t lead = tail == 1 ? 0xC0 : tail == 2 ? 0xE0 : 0xF0;
  text += static_cast<char>(lead | code >> (6 * tail));
  for (int i = tail - 1; i >= 0; --i) text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = character_bytes(text, at);
    if (bytes == 0) {
      append_hex(out, "\\x", byte_at(text, at++), 2);
      continue;
    }
    const std::string_view character = text.substr(at, bytes);
    const uint32_t c = code_point(character);
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (c < 0x20 || c == 0x7F)
      append_hex(out, "\\x", c, 2);
    else if ((c >= 0x80 && c < 0xA0) || misleads(c))
      append_hex(out, "\\u", c, 4);
    else
      out += character;
    at += bytes;
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string shortened(std::string_view text, size_t most) {
  constexpr std::string_view kDots = "...";
  const auto continues = [&](size_t at) { return (byte_at(text, at) & 0xC0) == 0x80; };
  if (count_characters(text) <= most || most <= kDots.size()) return std::string(text);
  const size_t kept = most - kDots.size(), kept_behind = kept / 3, kept_before = kept - kept_behind;
  size_t before = 0, behind = text.size();
  for (size_t seen = 0; before < text.size(); ++before)
    if (!continues(before) && ++seen > kept_before) break;
  for (size_t seen = 0; behind > 0 && seen < kept_behind;) seen += !continues(--behind);
  return std::string(text.substr(0, before)).append(kDots).append(text.substr(behind));
}

std::string one_line(std::string_view text) {
  constexpr size_t kMost = 980;
  return shortened(visible(text), kMost);
}

}  // namespace uvic
