#include "app/cli/prompts.h"

#include <sstream>

#include "core/error.h"
#include "core/text.h"
#include "core/text_file.h"

namespace uvic {

void expect_text(const std::string& what, const std::string& text) {
  if (!is_utf8(text)) fail("{} is not valid UTF-8, the encoding of prompts: '{}'", what, text);
  if (text.find('\0') != std::string::npos) fail("{} holds a zero byte, expected a text: '{}'", what, text);
}

std::vector<std::string> read_prompts(const std::filesystem::path& file) {
  std::vector<std::string> prompts;
  std::istringstream lines(read_text(file, "prompts"));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) prompts.push_back(line);
  }
  if (prompts.empty()) fail("{} holds no prompts: expected one a line", file.string());
  return prompts;
}

}  // namespace uvic
