// U-ViT (arXiv 2209.12152): a vision transformer over noisy patches in which time, condition and patches are all
// tokens, with long skip connections between early and late blocks. With Cog Attention inside it is U-ViC (arXiv
// 2411.07176).
#pragma once

#include <functional>
#include <optional>

#include "core/parameters.h"
#include "core/tensor.h"
#include "transformer/block.h"
#include "unet_vit/config.h"
#include "unet_vit/feedback.h"

namespace uvic {

class UVit {
 public:
  // Parameters drawn as the original draws them, from `seed`: N(0, 0.02) for weights of linear layers and pos_embed, 0
  // for biases, PyTorch's defaults for convolutions and embeddings.
  //
  // Weights of a network without memory are those of one with a window as well. One with a feedback memory has
  // fam_embedding beside them; what `weights.merge(to_map(net.parameters()))` adds to them is as drawn here.
  explicit UVit(const UVitConfig& config, uint64_t seed = 0);

  // x [B, C, H, W] float, time [B] float (what Schedule::network_time gives) -> prediction like x, Autocast or not.
  // condition.label [B] if the model has classes; condition.context [B, N] ids or [B, N, context_dim] states if it has
  // text tokens.
  Tensor operator()(const Tensor& x, const Tensor& time, const Condition& condition = {}) const;

  // The intermediate results, for tests that compare block by block: "patch_embed", "time_token", "tokens_plus_pos",
  // "block0"..., "final_norm"; "fam.0"... is the feedback memory that leaves a block.
  using Observe = std::function<void(const std::string& name, const Tensor& value)>;
  Tensor forward(const Tensor& x, const Tensor& time, const Condition& condition, const Observe& observe) const;

  const UVitConfig& config() const { return config_; }
  Parameters parameters() const;  // with the original's names and order
  void to(at::Device device, at::ScalarType dtype);
  // Keeps the matrices of the blocks in `dtype`, so that a forward pass under Autocast in it need not convert them.
  void store_matrices(at::ScalarType dtype);
  void set_requires_grad(bool on);
  // Puts other tensors in the places of parameters, such as sums with adapters, which then are its parameters: who
  // wants the first ones again keeps them.
  void replace(const std::function<Tensor(const std::string& name, const Tensor& tensor, Role role)>& by);

 private:
  void visit(const EachParameter& each);
  void initialize(uint64_t seed);
  Tensor embed_tokens(const Tensor& x, const Tensor& time, const Condition& condition, const Observe& observe) const;
  Tensor run_block(const Block& block, const Tensor& x, const Tensor& skip, bool is_first) const;

  UVitConfig config_;
  Conv patch_embed_;   // kernel = stride = patch
  Tensor pos_embed_;   // [1, L, D]
  Tensor label_emb_;   // [classes + 1, D]
  Tensor text_embed_;  // [vocabulary, context_dim]
  std::optional<Linear> context_embed_;
  std::optional<Linear> time_embed_0_, time_embed_2_;
  std::vector<Block> in_blocks_, out_blocks_;
  Block mid_block_;
  LayerNorm norm_;
  Linear decoder_pred_;
  std::optional<Conv> final_layer_;  // 3 x 3
  Tensor fam_embedding_;             // [F, D]
  VisibleKeys window_;               // of a block sliding window
  std::optional<FeedbackMemory> feedback_;
};

// [B] -> [B, dim]: cos then sin of time * 10000^(-i / (dim / 2)); an odd dim ends with a zero column. Float32 always.
Tensor timestep_embedding(const Tensor& time, int64_t dim);

// [B, L, patch patch C] (channel fastest) -> [B, C, H, W], square images.
Tensor unpatchify(const Tensor& tokens, int64_t patch, int64_t channels);

}  // namespace uvic
