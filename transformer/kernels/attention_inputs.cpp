#include "transformer/kernels/attention_ops.h"

namespace uvic {

AttentionInputs::AttentionInputs(const Qkv& qkv, const AttendOptions& options) {
  TORCH_CHECK(options.scale > 0, "attention takes a positive scale, got ", options.scale);
  const auto size = [](const Tensor& x) { return x.sizes().vec(); };
  TORCH_CHECK(qkv.q.dim() == 4 && qkv.k.dim() == 4 && size(qkv.k) == size(qkv.v) && qkv.q.size(0) == qkv.k.size(0) &&
                  qkv.q.sizes().slice(2) == qkv.k.sizes().slice(2),
              "attention takes [B, L, H, D] of queries, keys and values, got ", qkv.q.sizes(), ", ", qkv.k.sizes(),
              " and ", qkv.v.sizes());
  const auto dense = [](const Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); };
  if (qkv.packed.defined())
    x = dense(qkv.packed);
  else
    x = dense(qkv.q), k = dense(qkv.k), v = dense(qkv.v);
}

AttentionInputs AttentionInputs::empty_like() const {
  const auto memory = [](const Tensor& x) { return x.defined() ? at::empty(x.sizes(), x.options()) : x; };
  return {memory(x), memory(k), memory(v)};
}

Qkv AttentionInputs::parts() const {
  if (k.defined()) return {x, k, v};
  return {x.select(2, 0), x.select(2, 1), x.select(2, 2), x};
}

}  // namespace uvic
