// The text forms inside pickles: what protocol 0 writes as lines, and the encodings that Python names.
#pragma once

#include <string>
#include <string_view>

namespace uvic {

// 'it\'s \x41' with its quotes, as Python's repr of a byte string -> its bytes. Error if it is malformed.
std::string unquote_bytes(std::string_view repr);

// Latin-1 text with \uXXXX and \UXXXXXXXX escapes -> UTF-8.
std::string decode_raw_unicode_escape(std::string_view text);

// UTF-8 text -> its bytes in `encoding`, which is latin1 or utf8 in any of Python's spellings.
std::string encode_text(std::string_view utf8, std::string_view encoding);

}  // namespace uvic
