#include "transformer/kernels/attention_ops.h"

namespace uvic {

AttendOptions checked_options(const Tensor& qkv, const AttendOptions& options) {
  TORCH_CHECK(qkv.dim() == 5 && qkv.size(2) == 3, "attention takes [B, L, 3, H, D], got ", qkv.sizes());
  TORCH_CHECK(options.scale > 0, "attention takes a positive scale, got ", options.scale);
  AttendOptions checked = options;
  Tensor& lengths = checked.keys.lengths;
  if (lengths.defined()) {
    TORCH_CHECK(lengths.sizes() == qkv.sizes().slice(0, 1) && lengths.scalar_type() == at::kLong,
                "the lengths of keys are not [B] int64: ", lengths.sizes(), " ", lengths.scalar_type());
    lengths = lengths.to(qkv.device()).contiguous();
  }
  return checked;
}

}  // namespace uvic
