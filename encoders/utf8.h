// UTF-8 as ICU takes it.
#pragma once

#include <unicode/unistr.h>

#include <string_view>

namespace uvic {

// Error with the place of the first byte that is not UTF-8.
icu::UnicodeString from_utf8(std::string_view utf8);

}  // namespace uvic
