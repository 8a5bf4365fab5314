// Attention on a GPU: our kernels for Cog Attention, LibTorch's for softmax.
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

#include "unet_vit/kernels/cuda/cog_attention.h"
#include "unet_vit/kernels/cuda/cog_op.h"

namespace uvic {
namespace {

void launch_on_current_stream(CogPass pass, const CogArguments& arguments) {
  C10_CUDA_CHECK(launch_cog(pass, arguments, at::cuda::getCurrentCUDAStream()));
}

}  // namespace

Tensor attention_cuda(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference) {
  // Compute capability 8.0 has bfloat16 tensor cores and asynchronous copies.
  if (weighting != Weighting::kCog || !has_cog_kernel(qkv) ||
      at::cuda::getDeviceProperties(qkv.get_device())->major < 8)
    return reference(qkv, options);
  const c10::cuda::CUDAGuard guard(qkv.device());
  return cog_attention_on(launch_on_current_stream, qkv, options);
}

}  // namespace uvic
