#include "transformer/kernels/attention_ops.h"

namespace uvic {
namespace {

// Whether the three are views of the packed tensor, all of it.
bool is_whole(const Qkv& qkv) {
  if (!qkv.packed.defined()) return false;
  const at::NoGradGuard no_grad;
  const auto is_part = [&](const Tensor& x, int64_t which) {
    const Tensor part = qkv.packed.select(2, which);
    return x.const_data_ptr() == part.const_data_ptr() && x.sizes() == part.sizes() && x.strides() == part.strides();
  };
  return is_part(qkv.q, 0) && is_part(qkv.k, 1) && is_part(qkv.v, 2);
}

}  // namespace

AttentionInputs::AttentionInputs(const Qkv& qkv, const AttendOptions& options) {
  TORCH_CHECK(options.scale > 0, "attention takes a positive scale, got ", options.scale);
  const auto& [q_given, k_given, v_given, packed] = qkv;
  TORCH_CHECK(q_given.dim() == 4 && k_given.dim() == 4 && k_given.sizes() == v_given.sizes() &&
                  q_given.size(0) == k_given.size(0) && q_given.sizes().slice(2) == k_given.sizes().slice(2),
              "attention takes [B, L, H, D] of queries, keys and values, got ", q_given.sizes(), ", ", k_given.sizes(),
              " and ", v_given.sizes());
  for (const Tensor& other : {k_given, v_given})
    TORCH_CHECK(other.scalar_type() == q_given.scalar_type() && other.device() == q_given.device(),
                "attention takes queries, keys and values of one type on one device, got ", q_given.options(), " and ",
                other.options());
  const auto dense = [](const Tensor& tensor) { return tensor.stride(-1) == 1 ? tensor : tensor.contiguous(); };
  if (is_whole(qkv))
    x = dense(packed);
  else
    x = dense(q_given), k = dense(k_given), v = dense(v_given);
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
