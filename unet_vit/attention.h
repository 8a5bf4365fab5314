// The kinds of attention a block can use.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

struct AttendOptions {
  double scale;         // of the scores, usually head_dim^-1/2
  bool causal = false;  // token i sees tokens 0..i
};

// q, k, v [B, H, L, D] (any strides) -> [B, H, L, D]; differentiable.
using Attend = Tensor (*)(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options);

// softmax(p) v, p = scale q k^T: LibTorch's scaled_dot_product_attention.
Tensor softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options);

// Cog Attention (arXiv 2411.07176, eq. 4): sign(p) * softmax(|p|) v. sign(0) = 0, but a zero score keeps its exp(0) in the
// denominator. Backward keeps one L x L tensor per head, the signed weights.
Tensor cog_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options);

constexpr Entry<Attend> kAttentionKinds[] = {
    {"softmax", softmax_attention, "softmax(p) v, non-negative weights (U-ViT)"},
    {"cog", cog_attention, "sign(p) softmax(|p|) v, weights of both signs (U-ViC)"},
};
inline std::span<const Entry<Attend>> attention_kinds() { return kAttentionKinds; }

}  // namespace uvic
