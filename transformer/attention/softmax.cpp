#include "transformer/attention/composed.h"
#include "transformer/attention/kinds.h"

namespace uvic {

Tensor softmax_reference(const Tensor& qkv, const AttendOptions& options) {
  const Tensor q = unpack(qkv, 0), k = unpack(qkv, 1), v = unpack(qkv, 2);
  std::optional<Tensor> mask;
  if (options.keys.lengths.defined()) mask = visible_keys(qkv, options);
  const bool causal = options.keys.causal && !mask;  // the mask has it
  const Tensor out = at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, options.scale);
  return out.transpose(1, 2).contiguous();
}

}  // namespace uvic
