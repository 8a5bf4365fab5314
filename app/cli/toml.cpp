#include "app/cli/toml.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/text.h"
#include "core/text_file.h"

namespace uvic {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool is_bare_name(std::string_view name) {
  for (const char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.') return false;
  return !name.empty() && name.front() != '.' && name.back() != '.';
}

constexpr std::string_view kEscapes = "btnfr\"\\", kEscaped = "\b\t\n\f\r\"\\";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// What is wrong with one line; the caller adds where.
struct Complaint {
  std::string what;
};

// Of the hexadecimal digits at the start of `text`, which are taken off: the character that they number, as UTF-8.
std::string take_character(std::string_view& text, size_t digits) {
  uint32_t c = 0;
  const std::string_view number = text.substr(0, digits);
  const auto [end, error] = std::from_chars(number.begin(), number.end(), c, 16);
  if (number.size() < digits || end != number.end() || c == 0 || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF)
    throw Complaint{fmt::format("expected the {} hexadecimal digits of a character, got '{}'", digits, number)};
  text.remove_prefix(digits);
  std::string character;
  append_utf8(character, c);
  return character;
}

// What stands in double quotes at the start of `text`, which are taken off with it.
std::string take_quoted(std::string_view& text) {
  std::string value;
  text.remove_prefix(1);
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') return value;
    if (c != '\\' || text.empty()) {
      value += c;
      continue;
    }
    const char kind = text.front();
    text.remove_prefix(1);
    const size_t escape = kEscapes.find(kind);
    if (kind == 'u' || kind == 'U')
      value += take_character(text, kind == 'u' ? 4 : 8);
    else if (escape != std::string_view::npos)
      value += kEscaped[escape];
    else
      throw Complaint{"unknown escape in the string: write \\\\ for a backslash"};
  }
  throw Complaint{"the string has no closing \""};
}

// A number without the '_' in it; anything else as it is.
std::string plain_number(std::string_view written) {
  std::string value(written);
  if (written.find_first_not_of("0123456789_.eE+-") == std::string_view::npos) std::erase(value, '_');
  return value;
}

// The value at the start of `text`; `text` is left with what follows it.
std::string take_value(std::string_view& text) {
  if (text.starts_with("\"\"\"") || text.starts_with("'''")) throw Complaint{"a string must stay on one line"};
  if (text.starts_with('[') || text.starts_with('{')) throw Complaint{"expected one value, not a list or table"};
  std::string value;
  if (text.starts_with('\'')) {
    const size_t end = text.find('\'', 1);
    if (end == std::string_view::npos) throw Complaint{"the string has no closing '"};
    value = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else if (text.starts_with('"')) {
    value = take_quoted(text);
  } else {
    const size_t end = std::min(text.find('#'), text.size());
    value = plain_number(trimmed(text.substr(0, end)));
    text.remove_prefix(end);
    if (value.empty()) throw Complaint{"there is no value behind '='"};
    if (value.find_first_of(" \t\"'") != std::string::npos)
      throw Complaint{fmt::format("'{}' is no single value: put text in double quotes", value)};
  }
  return value;
}

void expect_end(std::string_view rest) {
  rest = trimmed(rest);
  if (!rest.empty() && rest.front() != '#') throw Complaint{fmt::format("unexpected '{}' behind the value", rest)};
}

}  // namespace

std::vector<TomlItem> parse_toml(const std::string& text, const std::string& origin) {
  std::vector<TomlItem> items;
  std::set<std::pair<std::string, std::string>> seen;
  std::string section;
  std::string_view rest = as_text(text, origin);
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == '#') continue;
    try {
      if (line.front() == '[') {
        const size_t close = line.find(']');
        const std::string_view name = close == std::string_view::npos ? "" : trimmed(line.substr(1, close - 1));
        if (!is_bare_name(name)) throw Complaint{fmt::format("'{}' is no [section]", line)};
        expect_end(line.substr(close + 1));
        section = name;
        continue;
      }
      const size_t equals = line.find('=');
      TomlItem item{section, std::string(trimmed(line.substr(0, equals))), "", number};
      if (equals == std::string_view::npos || !is_bare_name(item.key))
        throw Complaint{fmt::format("'{}' is neither [section] nor key = value", line)};
      line = trimmed(line.substr(equals + 1));
      item.value = take_value(line);
      expect_end(line);
      if (const size_t dot = item.key.rfind('.'); dot != std::string::npos) {
        item.section += (section.empty() ? "" : ".") + item.key.substr(0, dot);
        item.key.erase(0, dot + 1);
      }
      if (!seen.emplace(item.section, item.key).second)
        throw Complaint{fmt::format("[{}] {} stands twice", item.section, item.key)};
      items.push_back(std::move(item));
    } catch (const Complaint& complaint) {
      fail("{}, line {}: {}", origin, number, complaint.what);
    }
  }
  return items;
}

std::string toml_string(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (const size_t escape = kEscaped.find(c); escape != std::string_view::npos)
      (text += '\\') += kEscapes[escape];
    else if (is_control(c))
      text += fmt::format("\\u{:04X}", static_cast<int>(c));
    else
      text += c;
  }
  return text + "\"";
}

}  // namespace uvic
