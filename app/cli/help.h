// How --help looks.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace uvic {

// CLI11's own form, in lines of at most 100 characters.
std::string format_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode);

// Breaks lines longer than `columns` at spaces. What goes on below an option stands in the column of descriptions, what
// goes on below another line under its first word.
std::string wrapped(const std::string& text, size_t columns);

}  // namespace uvic
