// The block that U-ViT and its kin are made of.
#pragma once

#include <optional>

#include "core/tensor.h"
#include "transformer/attention.h"
#include "transformer/layers.h"

namespace uvic {

// Pre-norm transformer block; with a skip it first projects [x, skip] back to the width of x.
struct Block {
  std::optional<Linear> skip_linear;
  LayerNorm norm1, norm2;
  Linear qkv, proj, fc1, fc2;
  int64_t heads = 1;
  const AttentionKind* kind = nullptr;
  bool fused = true;  // where possible, by the operations of kernels/block_ops.h and the kernels of attention

  // x and skip [B, L, D] -> like x; `visible`: which tokens each of them sees.
  Tensor operator()(const Tensor& x, const Tensor& skip, const VisibleKeys& visible = {}) const;

  // Its parts, for those who look elsewhere too: linear([x, skip]), or x; queries, keys and values of norm1(x); what
  // these mix to, [B, queries, D]; and x with what that and the MLP add to it.
  Tensor join(const Tensor& x, const Tensor& skip) const;
  Qkv project(const Tensor& x) const;
  Tensor attend(const Qkv& qkv, const VisibleKeys& visible) const;
  Tensor finish(const Tensor& x, const Tensor& mixed) const;

 private:
  bool has_operations_for(const Tensor& x) const;
};

}  // namespace uvic
