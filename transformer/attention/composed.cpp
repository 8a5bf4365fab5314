#include "transformer/attention/composed.h"

namespace uvic {

Tensor visible_mask(const Qkv& qkv, const AttendOptions& options) {
  const Tensor mask = dense_mask(checked(qkv, options).keys, qkv.k.size(1), qkv.q.device());
  return mask.defined() ? mask.unsqueeze(1) : mask;
}

}  // namespace uvic
