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

  Tensor operator()(const Tensor& x, const Tensor& skip) const;  // [B, L, D]

 private:
  Tensor attention(const Tensor& projected) const;  // [B, L, 3 D] -> [B, L, D]
  Tensor plain(Tensor x, const Tensor& skip) const;
  Tensor in_parts(Tensor x, const Tensor& skip) const;
};

}  // namespace uvic
