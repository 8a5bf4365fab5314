#include "lm/packed_text.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace uvic {

std::vector<std::vector<int32_t>> tokenize(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  std::vector<std::vector<int32_t>> documents;
  for (const std::string& text : texts) {
    std::vector<int32_t> pieces = tokenizer.encode(text);
    pieces.insert(pieces.begin(), tokenizer.begin());
    pieces.push_back(tokenizer.end());
    documents.push_back(std::move(pieces));
  }
  return documents;
}

PackedText::PackedText(std::vector<std::vector<int32_t>> documents, int64_t length, uint64_t seed)
    : documents_(std::move(documents)), length_(length), seed_(seed) {
  int64_t tokens = 0;
  for (const auto& document : documents_) tokens += std::ssize(document);
  rows_ = tokens / length;
  if (rows_ == 0)
    fail("the text has {} tokens, a row takes {}: give more text or a smaller --data.length", tokens, length);
}

void PackedText::order(int64_t epoch) const {
  if (epoch == epoch_) return;
  const auto count = documents_.size();
  order_.resize(count);
  begins_.resize(count + 1);
  int64_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t document = shuffled(i, count, seed_, static_cast<uint64_t>(epoch));
    order_[i] = static_cast<int64_t>(document);
    begins_[i] = begin;
    begin += std::ssize(documents_[document]);
  }
  begins_[count] = begin;
  epoch_ = epoch;
}

Tensor PackedText::rows(int64_t first, int64_t count) const {
  Tensor all = at::empty({count, length_}, at::kLong);
  for (int64_t row = 0; row < count; ++row) {
    order((first + row) / rows_);
    int64_t place = (first + row) % rows_ * length_;  // among the tokens of the epoch
    auto document = std::upper_bound(begins_.begin(), begins_.end(), place) - begins_.begin() - 1;
    int64_t* out = all[row].data_ptr<int64_t>();
    for (int64_t* const end = out + length_; out < end; ++document) {
      const auto& pieces = documents_[order_[document]];
      const auto from = pieces.begin() + (place - begins_[document]);
      const int64_t taken = std::min<int64_t>(end - out, pieces.end() - from);
      out = std::copy_n(from, taken, out);
      place += taken;
    }
  }
  return all;
}

}  // namespace uvic
