#include "app/prompts.h"

#include <sstream>

#include "core/error.h"
#include "core/text_file.h"

namespace uvic {

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
