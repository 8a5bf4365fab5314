// Attention as one differentiable op. Between forward and backward it keeps qkv, the output and two numbers a row.
#pragma once

#include "unet_vit/attention.h"
#include "unet_vit/kernels/isa.h"

namespace uvic {

// The kernel for qkv's device and type; `reference` where there is none: float64 and float16 on CPU, other devices.
Tensor fused_attention(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference);

// float32 or bfloat16 on CPU, any length and head dimension. Results do not depend on batch size and number of threads.
Tensor attention_cpu(const Tensor& qkv, const AttendOptions& options, Weighting weighting, const KernelTable& kernels);

Tensor attention_cuda(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference);

}  // namespace uvic
