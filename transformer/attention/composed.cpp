#include "transformer/attention/composed.h"

namespace uvic {

Tensor visible_mask(const Qkv& qkv, const AttendOptions& options) {
  const int64_t queries = qkv.q.size(1), keys = qkv.k.size(1);
  const at::Device device = qkv.q.device();
  const Tensor mask = dense_mask(checked(options.keys, qkv.q.size(0), queries, keys, device), keys, device);
  return mask.defined() ? mask.unsqueeze(1) : mask;
}

}  // namespace uvic
