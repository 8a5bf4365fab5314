// How well a model predicts texts.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "lm/cogformer.h"

namespace uvic {

struct Perplexity {
  int64_t documents = 0, tokens = 0;  // predicted, so the first of a document does not count
  double nats = 0;                    // the sum of -log p of these tokens
  double value = 0;                   // exp(nats / tokens)
  // 95 %, by the spread between documents; none of a single one.
  std::optional<std::pair<double, double>> interval;
};

// Each document [tokens], with its first piece, alone: all of it through a memory, without one in pieces of at most
// `longest` tokens, of which each begins anew. `on_document` after each. Error if there is nothing to predict.
Perplexity perplexity(const Cogformer& net, const std::vector<std::vector<int32_t>>& documents, int64_t longest,
                      const std::function<void(int64_t done)>& on_document);

}  // namespace uvic
