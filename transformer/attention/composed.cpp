#include "transformer/attention/composed.h"

namespace uvic {

Tensor visible_keys(const Qkv& qkv, const AttendOptions& options) {
  const Tensor mask = dense_mask(options.keys, qkv.q.size(1), qkv.k.size(1), qkv.q.device());
  return mask.defined() ? mask.unsqueeze(1) : mask;
}

}  // namespace uvic
