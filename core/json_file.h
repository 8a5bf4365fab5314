// JSON files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace uvic {

// Error if the file is missing, not JSON, or nested more than 64 deep; `what` names its role.
nlohmann::json read_json(const std::filesystem::path& path, std::string_view what);

void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);  // atomically, for people to read

}  // namespace uvic
