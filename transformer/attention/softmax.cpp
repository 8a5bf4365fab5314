#include "transformer/attention/composed.h"
#include "transformer/attention/kinds.h"

namespace uvic {

Tensor softmax_reference(const Qkv& qkv, const AttendOptions& options) {
  std::optional<Tensor> mask;
  Tensor blind;  // queries that see nothing: what LibTorch makes of them depends on its kernel
  if (const Tensor visible = visible_mask(qkv, options); visible.defined()) {
    blind = visible.any(-1, /*keepdim=*/true).logical_not();
    mask = visible.logical_or(blind);
  }
  Tensor out = at::scaled_dot_product_attention(heads_first(qkv.q), heads_first(qkv.k), heads_first(qkv.v), mask,
                                                /*dropout_p=*/0.0, /*is_causal=*/false, options.scale);
  if (blind.defined()) out = out.masked_fill(blind, 0);
  return heads_first(out).contiguous();
}

}  // namespace uvic
