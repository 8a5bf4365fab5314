// Cog Attention as a differentiable op on the kernels in this folder, whoever runs them.
#pragma once

#include "transformer/kernels/attention_ops.h"
#include "transformer/kernels/cuda/arguments.h"

namespace uvic {

// Whether there are kernels: float32 or bfloat16, a head dimension of kCogHeadDims.
bool has_cog_kernel(const Qkv& qkv);

// Runs one pass; returns when it is queued. Pointers are those of tensors on qkv's device, which is the current one.
using CogLaunch = void (*)(CogPass, const CogArguments&);

// Cog Attention, for tensors that have a kernel.
Tensor cog_attention_on(CogLaunch launch, const Qkv& qkv, const AttendOptions& options);

}  // namespace uvic
