// A layer of Cogformer.
#pragma once

#include "core/parameters.h"
#include "transformer/attention.h"
#include "transformer/kernels/decoder_ops.h"

namespace uvic {

struct CogformerLayer {
  Tensor qw, kw, vw, ow;  // [dim, heads head_dim], ow the other way round: x @ w, as in the original
  Tensor gw, pw, ffn_ow;  // [dim, hidden], [hidden, dim]
  RmsNorm attention_norm, ffn_norm;
  const AttentionKind* kind = nullptr;
  int64_t head_dim = 0;

  // Of normed rows y [B, L, dim]: [B, L, H, head_dim], not rotated.
  Tensor heads(const Tensor& y, const Tensor& w) const {
    return multiply_rows(y.to(w.scalar_type()), w).unflatten(-1, {-1, head_dim});
  }
  // What attention adds to the rows of the queries.
  Tensor attend(const Qkv& in, const VisibleKeys& visible) const;
  // The weights of these scores [B, H, queries, keys].
  Tensor weights(const Qkv& in, const VisibleKeys& visible) const;
  // x and what the feed-forward adds to it.
  Tensor feed_forward(const Tensor& x) const;

  void visit(const std::string& prefix, const EachParameter& each);
};

}  // namespace uvic
