// Files compressed with gzip.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace uvic {

// The unpacked bytes; a file that is not compressed is read as it is. Error if it is missing, truncated, damaged or
// larger than `limit` when unpacked; `what` names its role.
std::string read_gzip(const std::filesystem::path& path, std::string_view what, size_t limit);

}  // namespace uvic
