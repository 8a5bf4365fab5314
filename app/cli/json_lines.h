// Results for programs: with --json every result is one line of JSON on stdout.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace uvic {

bool as_json();
void print_json(const nlohmann::ordered_json& result);
void print_file(const std::filesystem::path& file);  // that was written, at once

}  // namespace uvic
