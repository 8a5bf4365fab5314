// How long a training step and the writing of a language model take, with random weights and tokens.
#pragma once

#include <string>
#include <vector>

#include "bench/profile.h"
#include "lm/config.h"

namespace uvic {

struct TextTiming {
  double min_ms, median_ms;
  double tokens_per_s;  // by the minimum
  double peak_mib;      // memory of the whole process
};

struct TextShape {
  int64_t batch = 16, length = 256;  // rows and their tokens
  int64_t document = 64;             // tokens of a document: one sees its own alone
};
// A training step (forward, backward, optimizer, EMA).
TextTiming bench_text_training(const LmConfig& config, const std::string& precision, const TextShape& shape,
                               int64_t rounds);
// Where such a step spends its time, after one that is not measured.
std::vector<OperationTime> profile_text_training(const LmConfig& config, const std::string& precision,
                                                 const TextShape& shape);

struct WritingShape {
  int64_t prompt = 32, tokens = 256;
};
// The likeliest tokens behind a prompt, one text.
TextTiming bench_writing(const LmConfig& config, const WritingShape& shape, int64_t rounds);
std::vector<OperationTime> profile_writing(const LmConfig& config, const WritingShape& shape);

}  // namespace uvic
