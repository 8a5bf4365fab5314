// The attention kernels as differentiable ops. Between forward and backward they keep qkv, the output and two numbers a
// row.
#pragma once

#include "transformer/attention.h"
#include "transformer/kernels/isa.h"

namespace uvic {

// float32 or bfloat16 on CPU, any length and head dimension; `weighting` is a row of simd/weighting.h. Results do not
// depend on batch size and number of threads.
Tensor attention_cpu(const Tensor& qkv, const AttendOptions& options, std::string_view weighting,
                     const KernelTable& kernels);

// Whether qkv is on a GPU that we have a kernel of Cog Attention for: float32 or bfloat16, a head dimension of
// kCogHeadDims, compute capability 8.0 or newer, a build with CUDA.
bool has_cuda_kernel(const Tensor& qkv);
// That kernel.
Tensor cog_attention_cuda(const Tensor& qkv, const AttendOptions& options);

// For the implementations above: the options with the keys' lengths contiguous on qkv's device. Fails if they or qkv
// are not as Attend takes them.
AttendOptions checked_options(const Tensor& qkv, const AttendOptions& options);

}  // namespace uvic
