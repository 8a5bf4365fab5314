// Text out of files of others: UTF-8, with or without the mark (BOM) that some editors put before it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace uvic {

// The bytes without the mark. Error that names `origin`, the line and the remedy if they are anything but UTF-8 text.
std::string_view as_text(std::string_view bytes, const std::string& origin);

// Errors as read_file, and as as_text.
std::string read_text(const std::filesystem::path& path, std::string_view what);

}  // namespace uvic
