// The definitions of attention, written with autograd's own operations, [B, L, 3, H, D] -> [B, L, H, D], and what the
// program computes.
#pragma once

#include <limits>

#include "transformer/attention.h"

namespace uvic {

inline Tensor scores_by_definition(const Tensor& qkv, const AttendOptions& options) {
  const auto part = [&](int64_t which) { return qkv.select(2, which).transpose(1, 2); };
  return at::matmul(part(0), part(1).transpose(-2, -1)) * options.scale;
}

inline Tensor softmax_of_visible(Tensor scores, const AttendOptions& options) {
  const auto hide = [&](const Tensor& hidden) {
    scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  };
  const int64_t length = scores.size(-1);
  if (options.keys.causal) hide(at::ones({length, length}, at::kBool).triu(1));
  if (options.keys.lengths.defined()) hide(at::arange(length) >= options.keys.lengths.view({-1, 1, 1, 1}));
  return at::softmax(scores, -1);
}

inline Tensor softmax_by_definition(const Tensor& qkv, const AttendOptions& options) {
  const Tensor weights = softmax_of_visible(scores_by_definition(qkv, options), options);
  return at::matmul(weights, qkv.select(2, 2).transpose(1, 2)).transpose(1, 2);
}

inline Tensor cog_by_definition(const Tensor& qkv, const AttendOptions& options) {
  const Tensor scores = scores_by_definition(qkv, options);
  const Tensor weights = softmax_of_visible(scores.abs(), options) * scores.sign().detach();
  return at::matmul(weights, qkv.select(2, 2).transpose(1, 2)).transpose(1, 2);
}

inline const AttentionKind& kind_named(std::string_view name) {
  return find(attention_kinds(), name, "attention kind").value;
}
inline Tensor cog_attention(const Tensor& qkv, const AttendOptions& options) {
  return fused_attention(kind_named("cog"), qkv, options);
}
inline Tensor softmax_attention(const Tensor& qkv, const AttendOptions& options) {
  return fused_attention(kind_named("softmax"), qkv, options);
}

}  // namespace uvic
