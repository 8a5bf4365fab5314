// Attention as one differentiable op. Between forward and backward it keeps qkv, the output and two numbers a row.
#pragma once

#include "unet_vit/attention.h"
#include "unet_vit/kernels/isa.h"

namespace uvic {

// The kernel for qkv's device and type; `reference` where there is none: float64 and float16 on CPU, other devices.
Tensor fused_attention(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference);

// float32 or bfloat16 on CPU, any length and head dimension. Results do not depend on batch size and number of threads.
Tensor attention_cpu(const Tensor& qkv, const AttendOptions& options, Weighting weighting, const KernelTable& kernels);

// bfloat16 or float32 on a GPU: `reference` for softmax, which is LibTorch's own fused attention there, for head
// dimensions other than kCogHeadDims and for GPUs older than compute capability 8.0. A build without CUDA has the
// reference alone.
Tensor attention_cuda(const Tensor& qkv, const AttendOptions& options, Weighting weighting, Attend reference);

// For the implementations above: the options with key_lengths contiguous on qkv's device. Fails if they or qkv are not
// as Attend takes them.
AttendOptions checked_options(const Tensor& qkv, const AttendOptions& options);

}  // namespace uvic
