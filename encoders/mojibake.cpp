#include "encoders/mojibake.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace uvic {
namespace {

// Windows-1252 from 0x80 to 0x9F; the rest of it is Latin-1.
constexpr char16_t kWindows1252[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                       0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                       0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

// The byte a character has in Windows-1252 (or in Latin-1, for the C1 controls); -1 if none, or if it is ASCII.
int to_byte(UChar32 c) {
  if (c >= 0x80 && c <= 0xFF) return static_cast<int>(c);
  const auto found = std::find(std::begin(kWindows1252), std::end(kWindows1252), c);
  return found == std::end(kWindows1252) ? -1 : 0x80 + static_cast<int>(found - std::begin(kWindows1252));
}

constexpr int kFirstLead = 0xC2;  // the least byte with which a sequence of UTF-8 begins, but for ASCII

// Characters that ordinary text has behind an accented letter: quotes, dashes, signs such as ™ and €, a no-break space.
bool may_follow_a_letter(UChar32 c) {
  return icu::UnicodeString(u"€‚„…‘’“”•–—™›\u00A0¡¢£¥©«®°´·»¿").indexOf(c) >= 0;
}

// Whether the sequence text[begin, end), whose first byte is `lead`, is more likely misread than meant.
bool is_odd(const icu::UnicodeString& text, int32_t begin, int32_t end, unsigned char lead) {
  // Where Latin-1 ("Â", "Ã") and most punctuation ("â") end up; no word has these letters before a symbol.
  if (lead == 0xC2 || lead == 0xC3 || lead == 0xE2) return true;
  // The ligature of "cœur", whose second half is a quote.
  if (text.tempSubStringBetween(begin, end) == u"Å“" || text.tempSubStringBetween(begin, end) == u"Å’") return true;
  for (int32_t at = begin + 1; at < end; ++at)
    if (!may_follow_a_letter(text.charAt(at))) return true;
  return false;
}

// The longest run of complete sequences at text[begin]: what it decodes to, and where it ends.
struct Run {
  icu::UnicodeString decoded;
  int32_t end;
  bool misread;
};

Run decode_run(const icu::UnicodeString& text, int32_t begin) {
  Run run{{}, begin, false};
  for (int sequences = 0;;) {
    char bytes[4];  // of one sequence, at most
    int32_t count = 0, length = 0;
    for (int32_t at = run.end, byte = 0; count < 4 && at < text.length() && (byte = to_byte(text.charAt(at))) >= 0;
         ++at)
      bytes[count++] = static_cast<char>(byte);
    if (count == 0) return run;
    UChar32 c = 0;
    U8_NEXT(bytes, length, count, c);
    if (c < 0) return run;
    run.misread |= ++sequences > 1 || is_odd(text, run.end, run.end + length, static_cast<unsigned char>(bytes[0]));
    run.decoded.append(c);
    run.end += length;
  }
}

icu::UnicodeString repair_once(const icu::UnicodeString& text) {
  icu::UnicodeString repaired;
  for (int32_t at = 0; at < text.length();) {
    if (to_byte(text.charAt(at)) < kFirstLead) {
      repaired.append(text.charAt(at++));
      continue;
    }
    const Run run = decode_run(text, at);
    if (run.misread) {
      repaired.append(run.decoded);
      at = run.end;
    } else {
      repaired.append(text.charAt(at++));
    }
  }
  return repaired;
}

}  // namespace

icu::UnicodeString repair_mojibake(const icu::UnicodeString& text) {
  // Each misreading doubles a text. More passes are a chain ("Ãƒƒƒƒ...") in which each undoes one letter.
  constexpr int kMostPasses = 8;
  icu::UnicodeString repaired = text;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const icu::UnicodeString before = repaired;
    repaired = repair_once(before);
    if (repaired == before) break;
  }
  return repaired;
}

UChar32 from_windows_1252(unsigned char byte) {
  return byte < 0x80 || byte > 0x9F ? byte : kWindows1252[byte - 0x80];
}

}  // namespace uvic
