#include "encoders/normal_form.h"

#include <c10/util/Exception.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <vector>

namespace uvic {
namespace {

using icu::UnicodeString;

// ICU puts the marks on a letter in order by insertion, which takes minutes for 100,000 of them.
constexpr int kManyMarks = 32;

bool has_many_marks(const UnicodeString& text) {
  int marks = 0;
  for (int32_t at = 0; at < text.length() && marks <= kManyMarks; at = text.moveIndex32(at, 1)) {
    const UChar32 c = text.char32At(at);
    marks = c < 0x300 || u_getIntPropertyValue(c, UCHAR_LEAD_CANONICAL_COMBINING_CLASS) == 0 ? 0 : marks + 1;
  }
  return marks > kManyMarks;
}

// NFD by its definition: characters are taken apart, then the marks of each letter are sorted by their class.
UnicodeString taken_apart(const UnicodeString& text, const icu::Normalizer2& form) {
  UnicodeString parts, of_one, sorted;
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    const UChar32 c = text.char32At(at);
    form.getDecomposition(c, of_one) ? parts.append(of_one) : parts.append(c);
  }
  std::vector<UChar32> marks;
  const auto flush = [&] {
    std::ranges::stable_sort(marks, {}, u_getCombiningClass);
    for (const UChar32 mark : marks) sorted.append(mark);
    marks.clear();
  };
  for (int32_t at = 0; at < parts.length(); at = parts.moveIndex32(at, 1)) {
    const UChar32 c = parts.char32At(at);
    if (u_getCombiningClass(c) != 0) {
      marks.push_back(c);
      continue;
    }
    flush();
    sorted.append(c);
  }
  flush();
  return sorted;
}

UnicodeString normalized(const UnicodeString& text, const icu::Normalizer2* form, UErrorCode status) {
  TORCH_CHECK(U_SUCCESS(status), "ICU: ", u_errorName(status));
  const UnicodeString result = form->normalize(has_many_marks(text) ? taken_apart(text, *form) : text, status);
  TORCH_CHECK(U_SUCCESS(status), "ICU: ", u_errorName(status));
  return result;
}

}  // namespace

UnicodeString composed(const UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* form = icu::Normalizer2::getNFCInstance(status);
  return normalized(text, form, status);
}

UnicodeString decomposed(const UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* form = icu::Normalizer2::getNFDInstance(status);
  return normalized(text, form, status);
}

}  // namespace uvic
