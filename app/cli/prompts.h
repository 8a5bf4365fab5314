// Prompts as a user gives them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace uvic {

// Error, which calls it `what`, unless it is UTF-8 without zero bytes: only that can be kept in a recipe.
void expect_text(const std::string& what, const std::string& text);

// One prompt a line; empty lines do not count. Error if there is no such file, no prompt in it, or one that is no text.
std::vector<std::string> read_prompts(const std::filesystem::path& file);

}  // namespace uvic
