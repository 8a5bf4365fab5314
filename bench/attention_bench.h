// How long attention takes: our kernels against LibTorch's scaled_dot_product_attention and plain operations.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace uvic {

struct AttentionShape {
  int64_t batch, heads, length, head_dim;
};

struct AttentionTiming {
  std::string kind, impl;   // of attention_kinds(); fused | window | sdpa | eager
  std::string pass, dtype;  // fwd | fwd+bwd; fp32 | bf16
  AttentionShape shape;
  double min_ms, median_ms;
  double gflops;   // products only, 4 B H L D for each key seen forward, 2.5 times that backward, by the minimum
  double vs_sdpa;  // time by that of sdpa, and by those of eager and fused attention of the same kind over all keys
  double vs_eager, vs_fused;
};

// One shape, dtype and pass: every kind in every implementation, all taking turns, so that ratios hold. `visible`: also
// the fused one where each query sees only so many keys around it; 0: not.
std::vector<AttentionTiming> bench_attention(const AttentionShape& shape, at::ScalarType dtype, bool backward,
                                             int64_t visible, at::Device device, int64_t rounds);

struct Peak {
  std::string isa;  // the instruction set that the kernels use here
  int threads;
  double gflops;  // fused multiply-adds on registers, float32, all threads together
};
Peak measure_peak();

}  // namespace uvic
