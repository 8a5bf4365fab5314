// The cleaning in front of CLIP's tokenizer.
#pragma once

#include <unicode/unistr.h>

#include <string_view>

namespace uvic {

// What ftfy's fix_text does with a caption (https://ftfy.readthedocs.io), then single spaces, none at the ends, and
// lower case: HTML entities (unless the text has a '<'), mojibake, C1 controls, ligatures, full-width forms, curly
// quotes, terminal escapes, control characters, composed accents. Error if the text is not valid UTF-8.
icu::UnicodeString clean_text(std::string_view utf8);

}  // namespace uvic
