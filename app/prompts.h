// Files of prompts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace uvic {

// One prompt a line; empty lines do not count. Error if there is no such file or no prompt in it.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

}  // namespace uvic
