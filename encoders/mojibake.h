// Text that was UTF-8 once and then read as Windows-1252: "schÃ¶n" for "schön". Web captions are full of it.
#pragma once

#include <unicode/unistr.h>

namespace uvic {

// Undoes it where one can be sure: runs of letters whose Windows-1252 bytes are valid UTF-8 and which hardly anyone
// would write ("É”" is left alone, "Ã©" and "â€™" are not). Repeated misreadings, up to eight, are undone one after the
// other.
icu::UnicodeString repair_mojibake(const icu::UnicodeString& text);

// What a C1 control (U+0080 to U+009F) stands for in Windows-1252; the five that it leaves undefined stay.
UChar32 from_windows_1252(unsigned char byte);

}  // namespace uvic
