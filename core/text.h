// Text of others: whether it is UTF-8, and how a person gets to see it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace uvic {

// Strictly: nothing overlong, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// With U+FFFD for each byte that belongs to no character.
std::string valid_utf8(std::string_view text);

// Character `code`, at most U+10FFFF.
void append_utf8(std::string& text, uint32_t code);

// As a terminal may show it, on one line: control characters, those that turn the direction of writing and bytes that
// are no UTF-8 stand as \n, \t, \x1b or \u202e. What is harmless stays as it is, a backslash too.
std::string visible(std::string_view text);

// Its letters of ASCII in lower case, all else as it is.
std::string lower_case(std::string_view text);

// Of a UTF-8 text: its bytes that do not continue a character.
size_t count_characters(std::string_view text);

// At most so many characters of a UTF-8 text: what is left out of its middle stands as "...".
std::string shortened(std::string_view text, size_t most);

// What is quoted in a message: visible, and with its "warning: " no longer than 1,000 characters.
std::string one_line(std::string_view text);

}  // namespace uvic
