// A Cogformer of random weights, with scores large enough that attention looks at something.
#pragma once

#include "core/random.h"
#include "lm/cogformer.h"
#include "tests/random_weights.h"

namespace uvic {

inline CogformerConfig small_cogformer(int64_t layers = 3) {
  return {.vocabulary = 50,
          .layers = layers,
          .dim = 32,
          .heads = 2,
          .head_dim = 16,
          .hidden = 48,
          .attention = inner_attention("cog", layers)};
}

inline Cogformer random_cogformer(const CogformerConfig& config) {
  Cogformer net(config);
  TensorMap weights = random_weights(net.parameters(), 5);
  weights["embedding.weight"] *= 4;
  load_into(net.parameters(), weights, "random weights");
  return net;
}

// Every token is another one.
inline Tensor some_tokens(int64_t length) {
  return at::stack({at::arange(length, at::kLong), (at::arange(length, at::kLong) * 7 + 3).remainder(50)});
}

// Pieces of these lengths, one after the other.
inline Tensor in_pieces(const Tensor& tokens, const std::vector<int64_t>& lengths,
                        const std::function<Tensor(const Tensor& piece, int64_t begin)>& next) {
  std::vector<Tensor> all;
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    all.push_back(next(tokens.narrow(1, begin, length), begin));
    begin += length;
  }
  return at::cat(all, 1);
}

}  // namespace uvic
