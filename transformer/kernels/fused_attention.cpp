#include "transformer/kernels/fused_attention.h"

#include <fmt/ranges.h>

#include <mutex>

#include "core/progress.h"
#include "transformer/kernels/cuda/arguments.h"

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

namespace {

// Once, since a model's layers are alike.
void tell_of_reference(const Tensor& qkv) {
  static std::once_flag told;
  std::call_once(told, [&] {
    log_line(
        fmt::format("Cog Attention has no CUDA kernel for {} and heads of {} here: LibTorch's operations take its "
                    "place, slower and with L x L numbers in memory (kernels: float32 and bfloat16, heads of {}, "
                    "compute capability 8.0 or newer)",
                    c10::toString(qkv.scalar_type()), qkv.size(-1), fmt::join(kCogHeadDims, ", ")));
  });
}

}  // namespace

Tensor fused_attention(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference) {
  if (weighting == Weighting::kCog && has_cuda_kernel(qkv)) return cog_attention_cuda(qkv, options);
  if (weighting == Weighting::kCog && qkv.is_cuda()) tell_of_reference(qkv);
  const bool has_kernel = qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kBFloat16;
  if (!qkv.is_cpu() || !has_kernel) return reference(qkv, options);
  return attention_cpu(qkv, options, weighting, *default_kernel_isa().value.kernels);
}

}  // namespace uvic
