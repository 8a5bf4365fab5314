// Files of prompts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace uvic {

// One prompt a line; empty lines do not count. Error if there is no such file, no prompt in it, or no UTF-8.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

}  // namespace uvic
