#include "encoders/word_pieces.h"

#include <c10/util/Exception.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"

namespace uvic {
namespace {

icu::UnicodeString decode(std::string_view utf8) {
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

constexpr int kLongestWord = 100;  // letters; longer ones are unknown

bool is_ideograph(UChar32 c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

// Also the symbols of ASCII.
bool is_punctuation(UChar32 c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126) || u_ispunct(c);
}

bool is_space(UChar32 c) {
  return c == '\t' || c == '\n' || c == '\r' || u_charType(c) == U_SPACE_SEPARATOR;
}

bool is_control(UChar32 c) {
  return c == 0 || c == 0xFFFD || (U_GET_GC_MASK(c) & U_GC_C_MASK) != 0;
}

// Words in lower case without accents; each punctuation mark and each ideograph is one.
std::vector<icu::UnicodeString> split(const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(status);
  TORCH_CHECK(U_SUCCESS(status), "ICU: ", u_errorName(status));
  // Lower case letter by letter, whatever the word: a sigma at the end stays one.
  icu::UnicodeString lower;
  const icu::UnicodeString apart = nfd->normalize(text, status);
  for (int32_t i = 0; i < apart.length(); i = apart.moveIndex32(i, 1)) {
    const UChar32 c = apart.char32At(i);
    if (u_charType(c) != U_NON_SPACING_MARK) lower.append(u_tolower(c));
  }
  std::vector<icu::UnicodeString> words;
  bool inside = false;
  for (int32_t i = 0; i < lower.length(); i = lower.moveIndex32(i, 1)) {
    const UChar32 c = lower.char32At(i);
    if (is_space(c)) {
      inside = false;
    } else if (is_control(c)) {
      continue;
    } else if (is_punctuation(c) || is_ideograph(c)) {
      words.emplace_back(c);
      inside = false;
    } else {
      if (!inside) words.emplace_back();
      words.back().append(c);
      inside = true;
    }
  }
  return words;
}

}  // namespace

WordPieces WordPieces::read(const fs::path& vocabulary) {
  const std::string text = read_file(vocabulary, "WordPiece vocabulary"), origin = vocabulary.string();
  WordPieces pieces;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string token = text.substr(begin, end - begin);
    if (token.ends_with('\r')) token.pop_back();
    if (!pieces.ids_.emplace(token, std::ssize(pieces.tokens_)).second)
      fail("{}: line {} repeats '{}'", origin, pieces.tokens_.size() + 1, token);
    pieces.tokens_.push_back(std::move(token));
    begin = end + 1;
  }
  pieces.pad_ = pieces.special("[PAD]", origin);
  pieces.unknown_ = pieces.special("[UNK]", origin);
  pieces.start_ = pieces.special("[CLS]", origin);
  pieces.end_ = pieces.special("[SEP]", origin);
  return pieces;
}

int64_t WordPieces::special(const char* token, const std::string& origin) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) fail("{} has no {}: it is not the vocabulary of a BERT", origin, token);
  return found->second;
}

// The longest piece that begins the word, then the longest that goes on, ...
void WordPieces::append(const std::string& word, std::vector<int64_t>& ids) const {
  const size_t before = ids.size();
  for (size_t begin = 0, end = 0; begin < word.size(); begin = end) {
    for (end = word.size(); end > begin; --end) {
      const auto found = ids_.find((begin > 0 ? "##" : "") + word.substr(begin, end - begin));
      if (found == ids_.end()) continue;
      ids.push_back(found->second);
      break;
    }
    if (end > begin) continue;
    ids.resize(before);
    ids.push_back(unknown_);
    return;
  }
}

WordPieces::Tokens WordPieces::encode(std::string_view text, int64_t length) const {
  TORCH_CHECK(length >= 2, "no room for a text");
  Tokens tokens{{start_}, 0, 0};
  for (const icu::UnicodeString& word : split(decode(text))) {
    std::string utf8;
    if (word.countChar32() > kLongestWord)
      tokens.ids.push_back(unknown_);
    else
      append(word.toUTF8String(utf8), tokens.ids);
  }
  const auto room = length - 1;
  tokens.left_out = std::max<int64_t>(0, std::ssize(tokens.ids) - room);
  if (tokens.left_out > 0) tokens.ids.resize(room);
  tokens.ids.push_back(end_);
  tokens.used = std::ssize(tokens.ids);
  tokens.ids.resize(length, pad_);
  return tokens;
}

}  // namespace uvic
