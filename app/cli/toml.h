// The part of TOML that configs use: [section] lines, key = value with strings, numbers and booleans, comments.
#pragma once

#include <string>
#include <vector>

namespace uvic {

struct TomlItem {
  std::string section, key;
  std::string value;  // a string without its quotes, a number without '_', anything else as it is written
  int64_t line = 0;   // counted from 1
};

// In the order of the text. Dotted keys outside of a section ("model.depth = 4") are read as well. Error, naming
// `origin` and the line, for anything else of TOML (arrays, tables, multi-line strings) and for a key that stands
// twice.
std::vector<TomlItem> parse_toml(const std::string& text, const std::string& origin);

// A string as TOML writes it: in double quotes, with escapes.
std::string toml_string(const std::string& value);

}  // namespace uvic
