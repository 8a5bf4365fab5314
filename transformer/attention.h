// The kinds of attention a block can use.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

struct AttendOptions {
  double scale;         // of the scores, usually head_dim^-1/2
  bool causal = false;  // token i sees tokens 0..i
  Tensor key_lengths =
      {};  // [B] int64: image b's keys from key_lengths[b] on are seen by none; undefined: all are seen
};

// qkv [B, L, 3, H, D], the last dimension contiguous -> [B, L, H, D] contiguous; differentiable.
using Attend = Tensor (*)(const Tensor& qkv, const AttendOptions& options);

// The same function twice: as one kernel that keeps nothing of size L x L, and composed of LibTorch's operations, for
// what the kernel does not take and as its measure in tests.
struct AttentionKind {
  Attend fused, reference;
};

// softmax(p) v, p = scale q k^T. The reference is LibTorch's scaled_dot_product_attention.
Tensor softmax_attention(const Tensor& qkv, const AttendOptions& options);
Tensor softmax_reference(const Tensor& qkv, const AttendOptions& options);

// Cog Attention (arXiv 2411.07176, eq. 4): sign(p) * softmax(|p|) v. sign(0) = 0, but a zero score keeps its exp(0) in
// the denominator.
Tensor cog_attention(const Tensor& qkv, const AttendOptions& options);
Tensor cog_reference(const Tensor& qkv, const AttendOptions& options);

constexpr Entry<AttentionKind> kAttentionKinds[] = {
    {"softmax", {softmax_attention, softmax_reference}, "softmax(p) v, non-negative weights (U-ViT)"},
    {"cog", {cog_attention, cog_reference}, "sign(p) softmax(|p|) v, weights of both signs (U-ViC)"},
};
inline std::span<const Entry<AttentionKind>> attention_kinds() {
  return kAttentionKinds;
}

}  // namespace uvic
