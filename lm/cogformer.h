// Cogformer, the decoder language model in which Cog Attention was first shown (arXiv 2411.07176): RMSNorm before
// attention and feed-forward, rotary positions, a gated feed-forward ((x gw) * silu(x pw)) ow, no biases, an output
// layer of its own. Cog Attention is in all layers but the first and the last.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/parameters.h"
#include "core/tensor.h"
#include "lm/memory.h"

namespace uvic {

struct CogformerConfig {
  int64_t vocabulary = 0, layers = 0, dim = 0, heads = 0, head_dim = 0, hidden = 0;
  std::vector<std::string> attention;  // of each layer, a row of attention_kinds()
  double norm_epsilon = 1e-6;
  MemoryConfig memory = {};
};

// That kind in all layers but the first and the last, which have softmax.
std::vector<std::string> inner_attention(const std::string& kind, int64_t layers);

class Cogformer {
 public:
  // Parameters drawn from `seed`, since none are published: N(0, 0.02), matrices that add to the residual stream by
  // 1 / sqrt(2 layers) smaller, as in GPT-2.
  explicit Cogformer(const CogformerConfig& config, uint64_t seed = 0);

  // Of the tokens so far: keys after their rotation, and values, of each layer [B, room, H, D], of which the first
  // `length` count; room doubles when it is used up.
  struct Cache {
    std::vector<Tensor> keys, values;
    Rotation turns = {};  // of the positions from 0 on
    int64_t length = 0;
  };

  // tokens [B, L] int64 -> logits [B, L, vocabulary]. `visible`: what each of them sees.
  Tensor operator()(const Tensor& tokens, const VisibleKeys& visible) const;
  // The same for tokens that follow those of the cache, to which they are added; `visible` of all keys then there.
  Tensor next(const Tensor& tokens, const VisibleKeys& visible, Cache& cache) const;

  // With memory: the next tokens of a text, pieces of any length. Logits are those of the whole text at once.
  struct State {
    std::vector<LayerMemory> layers;
    int64_t in_block = 0;  // tokens of the current block so far
  };
  State begin(int64_t batch) const;
  Tensor next(const Tensor& tokens, State& state) const;
  // `carried`: FAM [1 or batch, F, dim] of each layer from another text in place of the learned one.
  State begin(int64_t batch, const std::vector<Tensor>& carried) const;

  // With memory: whole texts [B, L] at once, as training reads them. `state` is one that begin() gave; it comes back
  // with the FAM after the last full block, and no more than that.
  Tensor whole(const Tensor& tokens, State& state) const;

  // The intermediate results, for tests: "layer0"..., "final_norm", with memory also "fam.L.B" after block B.
  using Observe = std::function<void(const std::string& name, const Tensor& value)>;
  Tensor forward(const Tensor& tokens, const VisibleKeys& visible, Cache* cache, const Observe& observe) const;
  Tensor forward(const Tensor& tokens, State& state, const Observe& observe) const;

  // Of whole texts without memory: the weights of each layer [B, H, L, L], for who wants to look at them.
  std::vector<Tensor> attention_weights(const Tensor& tokens, const VisibleKeys& visible) const;

  const CogformerConfig& config() const { return config_; }
  Parameters parameters() const;  // with the original's names
  void to(at::Device device, at::ScalarType dtype);
  at::Device device() const { return embedding_.device(); }
  // Puts other tensors in the places of parameters, such as sums with adapters, which then are its parameters: who
  // wants the first ones again keeps them.
  void replace(const std::function<Tensor(const std::string& name, const Tensor& tensor, Role role)>& by);

 private:
  void visit(const EachParameter& each);
  Tensor finish(const Tensor& x, const Observe& observe) const;
  // Of `length` positions or more, made once for many of them.
  const Rotation& angles(Cache& cache, int64_t length, const Tensor& like) const;

  CogformerConfig config_;
  Tensor embedding_;      // [vocabulary, dim]
  Tensor fam_embedding_;  // [F, dim]; undefined without a feedback memory
  std::vector<CogformerLayer> layers_;
  RmsNorm norm_;
  Linear output_;
};

// A file of the original without its buffers: the table of angles and a constant that nothing reads.
TensorMap without_buffers(TensorMap file);

// The mean cross entropy of every token but the first of a row under the logits before it. `counted` [B, L] bool leaves
// out the other tokens as targets; undefined: none.
Tensor next_token_loss(const Tensor& logits, const Tensor& tokens, const Tensor& counted = {});

}  // namespace uvic
