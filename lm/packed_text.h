// Documents one after the other in rows of tokens, for training.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "lm/tokenizer.h"

namespace uvic {

// The begin piece, the text and the end piece of each.
std::vector<std::vector<int32_t>> tokenize(const Tokenizer& tokenizer, std::span<const std::string> texts);

class PackedText {
 public:
  // Rows of `length` tokens. Epoch e joins the documents in the order shuffled(., N, seed, e) and cuts that into rows;
  // what does not fill the last one is left out, other tokens every time. Error if the documents fill no row.
  PackedText(std::vector<std::vector<int32_t>> documents, int64_t length, uint64_t seed);

  int64_t rows_per_epoch() const { return rows_; }
  // Rows first .. first + count - 1 of all epochs, a pure function: [count, length] int64. One caller at a time.
  Tensor rows(int64_t first, int64_t count) const;

 private:
  void order(int64_t epoch) const;

  std::vector<std::vector<int32_t>> documents_;
  int64_t length_, rows_ = 0;
  uint64_t seed_;
  // Of the epoch that was asked for last: documents in their order, and where each begins.
  mutable int64_t epoch_ = -1;
  mutable std::vector<int64_t> order_, begins_;
};

}  // namespace uvic
