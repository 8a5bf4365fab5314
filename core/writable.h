// A look ahead, so that long work does not end with a result that cannot be written.
#pragma once

#include <filesystem>

namespace uvic {

// Makes the folder if needed. Error unless a file can be written into it.
void expect_writable(const std::filesystem::path& folder);

}  // namespace uvic
