#include "unet_vit/kernels/fused_attention.h"

namespace uvic {

AttendOptions checked_options(const Tensor& qkv, const AttendOptions& options) {
  TORCH_CHECK(qkv.dim() == 5 && qkv.size(2) == 3, "attention takes [B, L, 3, H, D], got ", qkv.sizes());
  TORCH_CHECK(options.scale > 0, "attention takes a positive scale, got ", options.scale);
  AttendOptions checked = options;
  if (checked.key_lengths.defined()) {
    TORCH_CHECK(
        checked.key_lengths.sizes() == qkv.sizes().slice(0, 1) && checked.key_lengths.scalar_type() == at::kLong,
        "key_lengths is not [B] int64: ", checked.key_lengths.sizes(), " ", checked.key_lengths.scalar_type());
    checked.key_lengths = checked.key_lengths.to(qkv.device()).contiguous();
  }
  return checked;
}

Tensor fused_attention(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference) {
  if (qkv.is_cuda()) return attention_cuda(qkv, options, weighting, reference);
  const bool has_kernel = qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kBFloat16;
  if (!qkv.is_cpu() || !has_kernel) return reference(qkv, options);
  return attention_cpu(qkv, options, weighting, *default_kernel_isa().value.kernels);
}

}  // namespace uvic
