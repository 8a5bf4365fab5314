#include "app/cli/toml.h"

#include <set>
#include <string_view>

#include "core/error.h"
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

// What is wrong with one line; the caller adds where.
struct Complaint {
  std::string what;
};

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
    size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] != '\\') {
        value += text[i];
        continue;
      }
      const size_t escape = ++i < text.size() ? kEscapes.find(text[i]) : std::string_view::npos;
      if (escape == std::string_view::npos) throw Complaint{"unknown escape in the string: write \\\\ for a backslash"};
      value += kEscaped[escape];
    }
    if (i >= text.size()) throw Complaint{"the string has no closing \""};
    text.remove_prefix(i + 1);
  } else {
    const size_t end = std::min(text.find('#'), text.size());
    value = trimmed(text.substr(0, end));
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
    const size_t escape = kEscaped.find(c);
    if (escape != std::string_view::npos)
      (text += '\\') += kEscapes[escape];
    else
      text += c;
  }
  return text + "\"";
}

}  // namespace uvic
