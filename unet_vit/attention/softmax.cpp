#include "unet_vit/attention.h"

namespace uvic {

Tensor softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options) {
  return at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0.0, options.causal, options.scale);
}

}  // namespace uvic
