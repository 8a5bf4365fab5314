#include "app/cli/help.h"

#include <algorithm>
#include <sstream>

#include "core/text.h"

namespace uvic {
namespace {

constexpr size_t kColumns = 100, kDescription = 30;  // the latter is CLI11's

}  // namespace

std::string wrapped(const std::string& text, size_t columns) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = std::min(line.find_first_not_of(' '), line.size());
    const bool is_option = first > 0 && first < kDescription;
    const std::string indent(is_option ? kDescription : first, ' ');
    while (count_characters(line) > columns) {
      const size_t word = line.find_first_not_of(' ');
      size_t end = line.rfind(' ');
      while (end != std::string::npos && end > word && count_characters(line.substr(0, end)) > columns)
        end = line.rfind(' ', end - 1);
      if (end == std::string::npos || end < word) break;  // one word, which is too long
      const size_t next = line.find_first_not_of(' ', end);
      if (next == std::string::npos || next <= indent.size()) break;
      out += line.substr(0, line.find_last_not_of(' ', end) + 1) + '\n';
      line = indent + line.substr(next);
    }
    out += line + '\n';
  }
  return out;
}

std::string format_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) {
  return wrapped(CLI::Formatter().make_help(app, std::move(name), mode), kColumns);
}

}  // namespace uvic
