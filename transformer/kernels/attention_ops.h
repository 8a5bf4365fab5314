// The attention kernels as differentiable ops. Between forward and backward they keep queries, keys, values, the output
// and two numbers a row.
#pragma once

#include "transformer/attention.h"
#include "transformer/kernels/isa.h"

namespace uvic {

// float32 or bfloat16 on CPU, any numbers of queries and keys, any head dimension; `weighting` is a row of
// simd/weighting.h. Results do not depend on batch size and number of threads.
Tensor attention_cpu(const Qkv& qkv, const AttendOptions& options, std::string_view weighting,
                     const KernelTable& kernels);

// Whether qkv is on a GPU that we have a kernel of Cog Attention for: float32 or bfloat16, a head dimension of
// kCogHeadDims, compute capability 8.0 or newer, a build with CUDA.
bool has_cuda_kernel(const Qkv& qkv);
// That kernel.
Tensor cog_attention_cuda(const Qkv& qkv, const AttendOptions& options);

// For the implementations above: the inputs, one packed tensor or three, of which an undefined one is no input, and
// gradients of the same kind.
struct AttentionInputs {
  Tensor x, k, v;

  // Fails if qkv is not as Attend takes it, or the scale.
  AttentionInputs(const Qkv& qkv, const AttendOptions& options);
  AttentionInputs(Tensor x, Tensor k, Tensor v) : x(std::move(x)), k(std::move(k)), v(std::move(v)) {}

  // Memory for their gradients, alike.
  AttentionInputs empty_like() const;
  // Each [B, L, H, D].
  Qkv parts() const;
};

}  // namespace uvic
