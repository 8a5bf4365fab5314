// The definitions of attention, written with autograd's own operations, and what the program computes.
#pragma once

#include <limits>

#include "transformer/attention.h"

namespace uvic {

inline Tensor scores_by_definition(const Qkv& qkv, const AttendOptions& options) {
  return at::matmul(qkv.q.transpose(1, 2), qkv.k.permute({0, 2, 3, 1})) * options.scale;
}

// One query and key after the other.
inline Tensor hidden_by_definition(const VisibleKeys& keys, const Tensor& scores) {
  const int64_t queries = scores.size(2), count = scores.size(3);
  const int64_t images = keys.first.defined() ? std::max(keys.first.size(0), keys.last.size(0)) : 1;
  Tensor hidden = at::zeros({images, 1, queries, count}, at::kBool);
  if (!keys.first.defined()) return hidden;
  const auto end = [&](const Tensor& x, int64_t b, int64_t i) { return x[x.size(0) == 1 ? 0 : b][i].item<int64_t>(); };
  auto at = hidden.accessor<bool, 4>();
  for (int64_t b = 0; b < images; ++b)
    for (int64_t i = 0; i < queries; ++i) {
      const int64_t first = end(keys.first, b, i), last = end(keys.last, b, i);
      for (int64_t j = keys.prefix; j < count; ++j)
        if (j < first || j >= last) at[b][0][i][j] = true;
    }
  return hidden;
}

inline Tensor shares_by_definition(const Tensor& magnitudes, const AttendOptions& options) {
  const Tensor hidden = hidden_by_definition(options.keys, magnitudes);
  const Tensor exponentials = (magnitudes - magnitudes.amax(-1, true).detach()).exp().masked_fill(hidden, 0);
  return exponentials / exponentials.sum(-1, true).clamp_min(std::numeric_limits<double>::min());
}

inline Tensor softmax_by_definition(const Qkv& qkv, const AttendOptions& options) {
  return at::matmul(shares_by_definition(scores_by_definition(qkv, options), options), qkv.v.transpose(1, 2))
      .transpose(1, 2);
}

inline Tensor cog_by_definition(const Qkv& qkv, const AttendOptions& options) {
  const Tensor scores = scores_by_definition(qkv, options);
  const Tensor weights = shares_by_definition(scores.abs(), options) * scores.sign().detach();
  return at::matmul(weights, qkv.v.transpose(1, 2)).transpose(1, 2);
}

inline const AttentionKind& kind_named(std::string_view name) {
  return find(attention_kinds(), name, "attention kind").value;
}
inline Tensor cog_attention(const Qkv& qkv, const AttendOptions& options) {
  return fused_attention(kind_named("cog"), qkv, options);
}
inline Tensor softmax_attention(const Qkv& qkv, const AttendOptions& options) {
  return fused_attention(kind_named("softmax"), qkv, options);
}

}  // namespace uvic
