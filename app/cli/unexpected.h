// What to say of words on the command line that nothing takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace uvic {

// "not expected: --stesp 4 (did you mean --steps?)": the words in their order, and for each misspelt option the nearest
// one of the command that was chosen.
std::string unexpected(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace uvic
