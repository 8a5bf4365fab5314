// The kernels of Cog Attention for GPUs, and their launch.
#include "transformer/kernels/cuda/cog_attention.h"
#include "transformer/kernels/cuda/kernels.h"

namespace uvic {
namespace {

template <class Kernel>
__global__ void __launch_bounds__(gpu::kThreads) run_kernel(const CogArguments arguments) {
  Kernel::run(arguments);
}

}  // namespace

cudaError_t launch_cog(CogPass pass, const CogArguments& arguments, cudaStream_t stream) {
  cudaError_t error = cudaErrorInvalidValue;  // no kernel for these arguments
  gpu::with_kernel(pass, arguments, [&](auto kernel) {
    using Kernel = decltype(kernel);
    // More than 48 KiB are to be asked for.
    error = cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::kSharedBytes);
    if (error != cudaSuccess) return;
    run_kernel<Kernel><<<Kernel::blocks(arguments), gpu::kThreads, Kernel::kSharedBytes, stream>>>(arguments);
    error = cudaGetLastError();
  });
  return error;
}

}  // namespace uvic
