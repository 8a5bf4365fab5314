#include "transformer/attention/composed.h"
#include "transformer/attention/kinds.h"

namespace uvic {

Tensor softmax_reference(const Qkv& qkv, const AttendOptions& options) {
  const Tensor visible = visible_keys(qkv, options);
  const Tensor out = at::scaled_dot_product_attention(heads_first(qkv.q), heads_first(qkv.k), heads_first(qkv.v),
                                                      visible.defined() ? std::optional(visible) : std::nullopt,
                                                      /*dropout_p=*/0.0, /*is_causal=*/false, options.scale);
  return heads_first(out).contiguous();
}

}  // namespace uvic
