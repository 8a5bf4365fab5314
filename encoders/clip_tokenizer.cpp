#include "encoders/clip_tokenizer.h"

#include <c10/util/Exception.h>
#include <unicode/regex.h>

#include "core/error.h"
#include "encoders/clean_text.h"

namespace uvic {
namespace {

constexpr const char *kStart = "<|startoftext|>", *kEnd = "<|endoftext|>";

// Words, single digits, and runs of anything else that is not space; a few English endings and the special tokens
// first.
constexpr const char* kPieces =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+)";

std::vector<std::string> split(const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  icu::RegexMatcher matcher(kPieces, text, UREGEX_CASE_INSENSITIVE, status);
  std::vector<std::string> pieces;
  while (matcher.find(status)) matcher.group(status).toUTF8String(pieces.emplace_back());
  TORCH_CHECK(U_SUCCESS(status), "ICU: ", u_errorName(status));
  return pieces;
}

int64_t special(const BytePairs& pairs, const char* token) {
  const auto found = pairs.vocabulary.find(token);
  if (found == pairs.vocabulary.end()) fail("the tokenizer's vocabulary has no {}: it is not that of a CLIP", token);
  return found->second;
}

}  // namespace

ClipTokenizer::ClipTokenizer(BytePairs pairs)
    : pairs_(std::move(pairs)), start_(special(pairs_, kStart)), end_(special(pairs_, kEnd)) {}

int64_t ClipTokenizer::largest_id() const {
  int64_t largest = 0;
  for (const auto& [token, id] : pairs_.vocabulary) largest = std::max(largest, id);
  return largest;
}

Tokens ClipTokenizer::encode(std::string_view text, int64_t length) const {
  std::vector<int64_t> tokens{start_};
  for (const std::string& piece : split(clean_text(text))) {
    if (piece == kStart || piece == kEnd) {
      tokens.push_back(piece == kStart ? start_ : end_);
      continue;
    }
    const std::vector<int64_t> ids = pairs_.encode(piece);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  }
  return fit_tokens(std::move(tokens), end_, end_, length);
}

}  // namespace uvic
