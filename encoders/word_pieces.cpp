#include "encoders/word_pieces.h"

#include <c10/util/Exception.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>

#include <algorithm>

#include "core/error.h"
#include "encoders/normal_form.h"
#include "encoders/utf8.h"

namespace uvic {
namespace {

using icu::UnicodeString;

constexpr int kLongestWord = 100;  // letters

bool is_ideograph(UChar32 c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

// Also the symbols of ASCII.
bool is_punctuation(UChar32 c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126) || u_ispunct(c);
}

bool is_removed(UChar32 c) {
  const bool is_other = (U_GET_GC_MASK(c) & U_GC_C_MASK) != 0 && c != '\t' && c != '\n' && c != '\r';
  return is_other || c == 0xFFFD || u_charType(c) == U_NON_SPACING_MARK;
}

// Words in lower case without accents; each punctuation mark and each ideograph is one.
std::vector<UnicodeString> split(const UnicodeString& text) {
  const UnicodeString letters = decomposed(text);
  std::vector<UnicodeString> words;
  bool inside = false;
  for (int32_t at = 0; at < letters.length(); at = letters.moveIndex32(at, 1)) {
    const UChar32 c = letters.char32At(at);
    if (is_removed(c)) continue;
    const bool alone = is_punctuation(c) || is_ideograph(c), space = u_isUWhiteSpace(c);
    if (!space && (alone || !inside)) words.emplace_back();
    if (!space) words.back().append(u_tolower(c));  // letter by letter: a sigma at the end of a word stays one
    inside = !space && !alone;
  }
  return words;
}

int64_t special(const TokenIds& ids, const char* token, const std::string& origin) {
  const auto found = ids.find(token);
  if (found == ids.end()) fail("{} has no {}: it is not the vocabulary of a BERT", origin, token);
  return found->second;
}

}  // namespace

WordPieces::WordPieces(std::vector<std::string> tokens, const std::string& origin) : tokens_(std::move(tokens)) {
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (!ids_.emplace(tokens_[id], id).second) fail("{} has the token '{}' twice", origin, tokens_[id]);
    longest_ = std::max(longest_, tokens_[id].size());
  }
  pad_ = special(ids_, "[PAD]", origin);
  unknown_ = special(ids_, "[UNK]", origin);
  start_ = special(ids_, "[CLS]", origin);
  end_ = special(ids_, "[SEP]", origin);
}

// The longest piece that begins the word, then the longest that goes on, ...
void WordPieces::append(const std::string& word, std::vector<int64_t>& ids) const {
  const size_t before = ids.size();
  for (size_t begin = 0, end = 0; begin < word.size(); begin = end) {
    auto found = ids_.end();
    for (end = std::min(word.size(), begin + longest_); end > begin; --end)
      if (found = ids_.find((begin > 0 ? "##" : "") + word.substr(begin, end - begin)); found != ids_.end()) break;
    if (found == ids_.end()) {
      ids.resize(before);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(found->second);
  }
}

Tokens WordPieces::encode(std::string_view text, int64_t length) const {
  std::vector<int64_t> ids{start_};
  const auto append_words = [&](const UnicodeString& part) {
    for (const UnicodeString& word : split(part)) {
      std::string utf8;
      if (word.countChar32() > kLongestWord)
        ids.push_back(unknown_);
      else
        append(word.toUTF8String(utf8), ids);
    }
  };
  const UnicodeString all = from_utf8(text);
  UErrorCode status = U_ZERO_ERROR;
  icu::RegexMatcher specials(R"(\[(?:PAD|UNK|CLS|SEP|MASK)\])", all, 0, status);
  int32_t done = 0;
  while (specials.find(status)) {
    std::string token;
    specials.group(status).toUTF8String(token);
    const auto id = ids_.find(token);
    if (id == ids_.end()) continue;  // a vocabulary may do without [MASK]
    append_words(all.tempSubStringBetween(done, specials.start(status)));
    ids.push_back(id->second);
    done = specials.end(status);
  }
  TORCH_CHECK(U_SUCCESS(status), "ICU: ", u_errorName(status));
  append_words(all.tempSubString(done));
  return fit_tokens(std::move(ids), end_, pad_, length);
}

}  // namespace uvic
