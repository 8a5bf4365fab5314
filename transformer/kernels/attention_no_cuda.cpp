// In place of a CUDA kernel.
#include "transformer/kernels/attention_ops.h"

namespace uvic {

bool has_cuda_kernel(const Qkv&) {
  return false;
}

Tensor cog_attention_cuda(const Qkv&, const AttendOptions&) {
  TORCH_CHECK(false, "a build without CUDA has no CUDA kernels");
}

}  // namespace uvic
