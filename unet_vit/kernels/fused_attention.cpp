#include "unet_vit/kernels/fused_attention.h"

namespace uvic {

Tensor fused_attention(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference) {
  if (qkv.is_cuda()) return attention_cuda(qkv, options, weighting, reference);
  const bool has_kernel = qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kBFloat16;
  if (!qkv.is_cpu() || !has_kernel) return reference(qkv, options);
  return attention_cpu(qkv, options, weighting, *default_kernel_isa().value.kernels);
}

}  // namespace uvic
