#include "lm/layer.h"

#include <cmath>

namespace uvic {

Tensor CogformerLayer::attend(const Qkv& in, const VisibleKeys& visible) const {
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  return multiply_rows(fused_attention(*kind, in, {.scale = scale, .keys = visible}).flatten(2), ow);
}

Tensor CogformerLayer::weights(const Qkv& in, const VisibleKeys& visible) const {
  // Values that are an identity come back as the weights.
  const int64_t keys = in.k.size(1);
  const Tensor identity =
      at::eye(keys, in.v.options()).view({1, keys, 1, keys}).expand({in.k.size(0), -1, in.k.size(2), -1});
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  return kind->reference({in.q, in.k, identity}, {.scale = scale, .keys = visible}).transpose(1, 2);
}

Tensor CogformerLayer::feed_forward(const Tensor& x) const {
  const Tensor y = rms_norm(x, ffn_norm).to(gw.scalar_type());
  return x + multiply_rows(gate_by_silu(multiply_rows(y, gw), multiply_rows(y, pw)), ffn_ow);
}

void CogformerLayer::visit(const std::string& prefix, const EachParameter& each) {
  const std::string attention = prefix + "attention.", ffn = prefix + "ffn.shared_experts.0.";
  each(attention + "qw", qw, Role::kBlockMatrix);
  each(attention + "kw", kw, Role::kBlockMatrix);
  each(attention + "vw", vw, Role::kBlockMatrix);
  each(attention + "ow", ow, Role::kBlockMatrix);
  each(ffn + "gw", gw, Role::kBlockMatrix);
  each(ffn + "pw", pw, Role::kBlockMatrix);
  each(ffn + "ow", ffn_ow, Role::kBlockMatrix);
  each(prefix + "attention_norm.weight", attention_norm.weight, Role::kNorm);
  each(prefix + "ffn_norm.weight", ffn_norm.weight, Role::kNorm);
}

}  // namespace uvic
