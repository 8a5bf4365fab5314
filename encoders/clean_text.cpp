#include "encoders/clean_text.h"

#include <c10/util/Exception.h>
#include <libxml/HTMLparser.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>

#include <charconv>

#include "core/error.h"
#include "encoders/mojibake.h"
#include "encoders/normal_form.h"
#include "encoders/utf8.h"

namespace uvic {
namespace {

using icu::UnicodeString;

// With constant arguments ICU's calls fail for want of memory alone; whoever made the status looks at it in the end.
class Status {
 public:
  operator UErrorCode&() { return code_; }
  void check() const { TORCH_CHECK(U_SUCCESS(code_), "ICU: ", u_errorName(code_)); }

 private:
  UErrorCode code_ = U_ZERO_ERROR;
};

// The character of "&name;"; -1 if there is none of that name.
UChar32 entity(const std::string& name) {
  if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const char *begin = name.data() + 1 + hex, *end = name.data() + name.size();
    uint32_t code = 0;
    const auto [stop, error] = std::from_chars(begin, end, code, hex ? 16 : 10);
    if (stop != end || begin == end) return -1;  // "&#x;" has no digits
    const bool valid = error == std::errc() && code != 0 && code <= 0x10FFFF && !U_IS_SURROGATE(code);
    return valid ? static_cast<UChar32>(code) : 0xFFFD;
  }
  const auto look_up = [](const std::string& text) {
    const htmlEntityDesc* known = htmlEntityLookup(reinterpret_cast<const xmlChar*>(text.c_str()));
    return known ? static_cast<UChar32>(known->value) : -1;
  };
  if (const UChar32 exact = look_up(name); exact >= 0) return exact;
  // "&EACUTE;", as shouted captions have it.
  std::string lower = name;
  for (char& letter : lower) {
    if (letter >= 'a' && letter <= 'z') return -1;
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  const UChar32 c = look_up(lower);
  return c >= 0 ? u_toupper(c) : -1;
}

UnicodeString unescape_html(const UnicodeString& text) {
  Status status;
  icu::RegexMatcher matcher("&(#?[0-9A-Za-z]{1,24});", text, 0, status);
  UnicodeString out;
  int32_t done = 0;
  while (matcher.find()) {
    std::string name;
    matcher.group(1, status).toUTF8String(name);
    const UChar32 c = entity(name);
    out.append(text, done, matcher.start(status) - done);
    done = matcher.end(status);
    if (c >= 0)
      out.append(c);
    else
      out.append(matcher.group(status));
  }
  status.check();
  return out.append(text, done, text.length() - done);
}

// Puts a character in the place of the entity that ends where `out` does, if there is one.
bool unescape_end(UnicodeString& out) {
  constexpr int32_t kLongestName = 24;
  const auto is_of_a_name = [](char16_t c) {
    return (c >= u'0' && c <= u'9') || (c >= u'A' && c <= u'Z') || (c >= u'a' && c <= u'z');
  };
  const int32_t end = out.length() - 1;
  int32_t begin = end;
  while (begin > 0 && end - begin < kLongestName && is_of_a_name(out[begin - 1])) --begin;
  if (begin == end) return false;
  if (begin > 0 && out[begin - 1] == u'#') --begin;
  if (begin == 0 || out[begin - 1] != u'&') return false;
  std::string name;
  out.tempSubStringBetween(begin, end).toUTF8String(name);
  const UChar32 c = entity(name);
  if (c < 0) return false;
  out.truncate(begin - 1);
  out.append(c);
  return true;
}

// Until nothing is left to undo, in one go: what an entity stands for may be part of another.
UnicodeString unescape_all_html(const UnicodeString& text) {
  UnicodeString out;
  for (int32_t at = 0; at < text.length(); ++at) {
    out.append(text[at]);
    while (out.endsWith(u';') && unescape_end(out)) continue;
  }
  return out;
}

bool is_ligature(UChar32 c) {
  return c == 0x132 || c == 0x133 || c == 0x149 || (c >= 0x1C4 && c <= 0x1CC) || (c >= 0x1F1 && c <= 0x1F3) ||
         (c >= 0xFB00 && c <= 0xFB06);
}

bool is_full_or_half_width(UChar32 c) {
  return c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF);
}

// Spaces of all kinds are left: they become one ' ' in the end.
bool is_removed_control(UChar32 c) {
  return c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || (c >= 0x206A && c <= 0x206F) ||
         c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

UnicodeString fix_characters(const UnicodeString& text, const icu::Normalizer2& compatible) {
  Status status;
  UnicodeString out, form;
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    UChar32 c = text.char32At(at);
    if (c >= 0x80 && c <= 0x9F) c = from_windows_1252(static_cast<unsigned char>(c));
    if (is_full_or_half_width(c))
      out.append(compatible.normalize(UnicodeString(c), status));
    else if (is_ligature(c) && compatible.getRawDecomposition(c, form))
      out.append(form);  // one step of decomposition: the ligature of long s and t keeps its long s
    else if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B))
      out.append(u'\'');
    else if (c >= 0x201C && c <= 0x201F)
      out.append(u'"');
    else if (!is_removed_control(c))
      out.append(c);
  }
  status.check();
  return out;
}

UnicodeString remove_terminal_escapes(const UnicodeString& text) {
  Status status;
  const UnicodeString without = icu::RegexMatcher("\\u001b\\[[0-9;]*[a-zA-Z]", text, 0, status).replaceAll("", status);
  status.check();
  return without;
}

// What people write needs two or three passes. More are a chain ("&amp;amp;amp;...") in which each undoes one link:
// those of HTML are then undone at once, others are given up.
constexpr int kPlainPasses = 8, kMostPasses = 12;

UnicodeString fix_text(UnicodeString text) {
  Status status;
  const icu::Normalizer2& compatible = *icu::Normalizer2::getNFKCInstance(status);
  status.check();
  const bool may_be_html = text.indexOf(u'<') < 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const UnicodeString before = text;
    if (may_be_html) text = pass < kPlainPasses ? unescape_html(text) : unescape_all_html(text);
    text = repair_mojibake(text);
    text = composed(fix_characters(remove_terminal_escapes(text), compatible));
    if (text == before) break;
  }
  return text;
}

UnicodeString single_spaces(const UnicodeString& text) {
  UnicodeString out;
  bool space = false;
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    const UChar32 c = text.char32At(at);
    if (u_isUWhiteSpace(c)) {
      space = true;
      continue;
    }
    if (space && !out.isEmpty()) out.append(u' ');
    space = false;
    out.append(c);
  }
  return out;
}

}  // namespace

UnicodeString clean_text(std::string_view utf8) {
  return single_spaces(fix_text(from_utf8(utf8))).toLower(icu::Locale::getRoot());
}

}  // namespace uvic
