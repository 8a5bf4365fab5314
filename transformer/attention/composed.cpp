#include "transformer/attention/composed.h"

namespace uvic {

Tensor unpack(const Tensor& qkv, int64_t which) {
  return qkv.select(2, which).transpose(1, 2);
}

Tensor visible_keys(const Tensor& qkv, const AttendOptions& options) {
  const int64_t length = qkv.size(1);
  const auto with = [&](at::ScalarType dtype) { return qkv.options().dtype(dtype).requires_grad(false); };
  Tensor visible;
  if (options.keys.causal) visible = at::ones({1, 1, length, length}, with(at::kBool)).tril();
  if (options.keys.lengths.defined()) {
    const Tensor keys = at::arange(length, with(at::kLong));
    const Tensor in_length = keys < options.keys.lengths.to(qkv.device()).view({-1, 1, 1, 1});
    visible = visible.defined() ? visible.logical_and(in_length) : in_length.expand({-1, 1, length, length});
  }
  return visible;
}

}  // namespace uvic
