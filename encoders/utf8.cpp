#include "encoders/utf8.h"

#include <unicode/utf8.h>

#include "core/error.h"

namespace uvic {

icu::UnicodeString from_utf8(std::string_view utf8) {
  if (utf8.size() > INT32_MAX / 2) fail("a text of {} bytes is too long", utf8.size());
  icu::UnicodeString text;
  const auto size = static_cast<int32_t>(utf8.size());
  for (int32_t at = 0; at < size;) {
    const int32_t begin = at;
    UChar32 c = 0;
    U8_NEXT(utf8.data(), at, size, c);
    if (c < 0) fail("a text is not valid UTF-8 from byte {} on; save it in that encoding", begin + 1);
    text.append(c);
  }
  return text;
}

}  // namespace uvic
