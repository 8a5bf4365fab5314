// The commands of the program.
#pragma once

#include <CLI/CLI.hpp>
#include <span>

namespace uvic {

// Adds the sub-command with its options, and what to run when it is chosen.
using AddCommand = void (*)(CLI::App& app);
std::span<const AddCommand> commands();  // in the order of --help

}  // namespace uvic
