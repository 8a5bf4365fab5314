// What the rows of attention_kinds() are made of.
#pragma once

#include "transformer/attention.h"

namespace uvic {

// softmax(p) v, p = scale q k^T: LibTorch's scaled_dot_product_attention, which has fused kernels of its own on GPUs.
Tensor softmax_reference(const Qkv& qkv, const AttendOptions& options);

// Cog Attention (arXiv 2411.07176, eq. 4): sign(p) * softmax(|p|) v. sign(0) = 0, but a zero score keeps its exp(0) in
// the denominator.
Tensor cog_reference(const Qkv& qkv, const AttendOptions& options);
// Our CUDA kernel, or the reference where there is none (a log line tells, once).
Tensor cog_on_gpu(const Qkv& qkv, const AttendOptions& options);

}  // namespace uvic
