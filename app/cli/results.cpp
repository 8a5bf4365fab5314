#include "app/cli/results.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "core/progress.h"
#include "core/text.h"

namespace uvic {

bool as_json() {
  return verbosity().json;
}

void print_result(const Fields& fields, const std::string& text) {
  // Names of files and captions of others need not be UTF-8.
  result_line(as_json() ? fields.dump(-1, ' ', false, Fields::error_handler_t::replace) : text);
}

void print_file(const std::filesystem::path& file) {
  print_result({{"file", file.string()}}, visible(file.string()));
}

std::string to_text(const Fields& fields, int indent) {
  size_t width = 0;
  for (const auto& item : fields.items()) width = std::max(width, visible(item.key()).size());
  const auto scalar = [](const Fields& value) {
    return value.is_string()         ? value.get<std::string>()
           : value.is_number_float() ? fmt::format("{:.6g}", value.get<double>())
                                     : value.dump();
  };
  std::string text;
  for (const auto& [name, value] : fields.items()) {
    std::string key = visible(name);
    if (indent == 0) std::replace(key.begin(), key.end(), '_', ' ');
    const std::string head = fmt::format("{:{}}{:{}}", "", indent, key, width);
    if (value.is_object()) {
      text += fmt::format("{:{}}{}\n{}", "", indent, key, to_text(value, indent + 2));
    } else if (value.is_array()) {
      std::vector<std::string> list;
      for (const auto& entry : value) list.push_back(visible(scalar(entry)));
      text += fmt::format("{}  {}\n", head, fmt::join(list, ", "));
    } else if (!value.is_null()) {
      std::istringstream lines(scalar(value));
      std::string line;
      std::getline(lines, line);
      text += fmt::format("{}  {}\n", head, visible(line));
      while (std::getline(lines, line)) text += fmt::format("{:{}}{}\n", "", indent + width + 2, visible(line));
    }
  }
  if (indent == 0 && !text.empty()) text.pop_back();
  return text;
}

}  // namespace uvic
