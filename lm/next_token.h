// How the next token of a text is chosen.
#pragma once

#include "core/tensor.h"

namespace uvic {

struct NextTokenConfig {
  double temperature = 1;  // of the probabilities; 0: the likeliest token
  int64_t top_k = 0;       // only the so many likeliest; 0: all
  double top_p = 1;        // only the likeliest that together have this probability (arXiv 1904.09751)
};

// One of logits [vocabulary], any floating type on any device, by `uniform` in [0, 1): a pure function of these.
int64_t choose_token(const Tensor& logits, const NextTokenConfig& config, double uniform);

}  // namespace uvic
