// Bytes as text, for metadata.
#pragma once

#include <string>
#include <string_view>

namespace uvic {

std::string to_base64(std::string_view bytes);
// Error, naming `origin`, if it is no such text.
std::string from_base64(std::string_view text, const std::string& origin);

}  // namespace uvic
