// In place of a CUDA kernel.
#include "unet_vit/kernels/fused_attention.h"

namespace uvic {

Tensor attention_cuda(const Tensor& qkv, const AttendOptions& options, Weighting, Attend reference) {
  return reference(qkv, options);
}

}  // namespace uvic
