// Cogformer, the decoder language model in which Cog Attention was first shown (arXiv 2411.07176): RMSNorm before
// attention and feed-forward, rotary positions, a gated feed-forward ((x gw) * silu(x pw)) ow, no biases, an output
// layer of its own. Cog Attention is in all layers but the first and the last.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/parameters.h"
#include "core/tensor.h"
#include "transformer/attention.h"
#include "transformer/layers.h"

namespace uvic {

struct CogformerConfig {
  int64_t vocabulary = 0, layers = 0, dim = 0, heads = 0, head_dim = 0, hidden = 0;
  std::string attention = "cog";  // a row of attention_kinds(); the first and the last layer have softmax
  double norm_epsilon = 1e-6;
};

class Cogformer {
 public:
  // Parameters drawn from `seed`, since none are published: N(0, 0.02), matrices that add to the residual stream by
  // 1 / sqrt(2 layers) smaller, as in GPT-2.
  explicit Cogformer(const CogformerConfig& config, uint64_t seed = 0);

  // Of the tokens so far: keys after their rotation, and values, of each layer [B, L, H, D].
  struct Cache {
    std::vector<Tensor> keys, values;
    int64_t length() const { return keys.empty() ? 0 : keys.front().size(1); }
  };

  // tokens [B, L] int64 -> logits [B, L, vocabulary]. `visible`: what each of them sees.
  Tensor operator()(const Tensor& tokens, const VisibleKeys& visible) const;
  // The same for tokens that follow those of the cache, to which they are added; `visible` of all keys then there.
  Tensor next(const Tensor& tokens, const VisibleKeys& visible, Cache& cache) const;
  // The intermediate results, for tests: "layer0"..., "final_norm".
  using Observe = std::function<void(const std::string& name, const Tensor& value)>;
  Tensor forward(const Tensor& tokens, const VisibleKeys& visible, Cache* cache, const Observe& observe) const;

  const CogformerConfig& config() const { return config_; }
  Parameters parameters() const;  // with the original's names
  void to(at::Device device, at::ScalarType dtype);

 private:
  struct Layer {
    Tensor qw, kw, vw, ow;  // [dim, heads head_dim], the last the other way round: x @ w, as in the original
    Tensor gw, pw, ffn_ow;  // [dim, hidden], [hidden, dim]
    RmsNorm attention_norm, ffn_norm;
    const AttentionKind* kind = nullptr;
  };
  void visit(const EachParameter& each);
  Tensor attend(const Layer& layer, const Tensor& x, const VisibleKeys& visible, Cache* cache, size_t number) const;

  CogformerConfig config_;
  Tensor embedding_;  // [vocabulary, dim]
  std::vector<Layer> layers_;
  RmsNorm norm_;
  Linear output_;
};

// The mean cross entropy of every token but the first of a row under the logits before it. `counted` [B, L] bool leaves
// out the other tokens as targets; undefined: none.
Tensor next_token_loss(const Tensor& logits, const Tensor& tokens, const Tensor& counted = {});

}  // namespace uvic
