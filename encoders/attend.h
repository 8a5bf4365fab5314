// The attention of the text and image transformers.
#pragma once

#include "core/tensor.h"

namespace uvic::frozen {

// Softmax attention of heads side by side in the width: [B, N, D] each -> [B, N, D]. Causal: no token sees a later one.
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, bool causal) {
  const auto apart = [&](const Tensor& x) { return x.unflatten(2, {heads, -1}).transpose(1, 2); };  // [B, H, N, D / H]
  const Tensor mixed = at::scaled_dot_product_attention(apart(q), apart(k), apart(v), {}, /*dropout_p=*/0, causal);
  return mixed.transpose(1, 2).flatten(2);
}

}  // namespace uvic::frozen
