// Unicode's canonical normal forms, in time in proportion to the text.
#pragma once

#include <unicode/unistr.h>

namespace uvic {

icu::UnicodeString composed(const icu::UnicodeString& text);    // NFC
icu::UnicodeString decomposed(const icu::UnicodeString& text);  // NFD

}  // namespace uvic
