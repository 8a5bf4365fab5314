#include "transformer/attention/composed.h"
#include "transformer/kernels/fused_attention.h"

namespace uvic {

Tensor softmax_reference(const Tensor& qkv, const AttendOptions& options) {
  const Tensor q = unpack(qkv, 0), k = unpack(qkv, 1), v = unpack(qkv, 2);
  std::optional<Tensor> mask;
  if (options.key_lengths.defined()) mask = visible_keys(qkv, options);
  const bool causal = options.causal && !mask;  // the mask has it
  const Tensor out = at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, options.scale);
  return out.transpose(1, 2).contiguous();
}

Tensor softmax_attention(const Tensor& qkv, const AttendOptions& options) {
  return fused_attention(qkv, options, Weighting::kSoftmax, softmax_reference);
}

}  // namespace uvic
