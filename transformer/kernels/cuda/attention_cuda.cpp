// Cog Attention on a GPU.
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>

#include "transformer/kernels/cuda/cog_attention.h"
#include "transformer/kernels/cuda/cog_op.h"

namespace uvic {
namespace {

void launch_on_current_stream(CogPass pass, const CogArguments& arguments) {
  C10_CUDA_CHECK(launch_cog(pass, arguments, at::cuda::getCurrentCUDAStream()));
}

}  // namespace

bool has_cuda_kernel(const Qkv& qkv) {
  // Compute capability 8.0 has bfloat16 tensor cores and asynchronous copies.
  return qkv.q.is_cuda() && has_cog_kernel(qkv) && at::cuda::getDeviceProperties(qkv.q.get_device())->major >= 8;
}

Tensor cog_attention_cuda(const Qkv& qkv, const AttendOptions& options) {
  return cog_attention_on(launch_on_current_stream, qkv, options);
}

}  // namespace uvic
