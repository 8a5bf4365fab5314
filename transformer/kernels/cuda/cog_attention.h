// Cog Attention on a GPU's stream.
#pragma once

#include <cuda_runtime_api.h>

#include "transformer/kernels/cuda/arguments.h"

namespace uvic {

cudaError_t launch_cog(CogPass pass, const CogArguments& arguments, cudaStream_t stream);

}  // namespace uvic
