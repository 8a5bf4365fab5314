// The kinds of attention a block can use.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

struct VisibleKeys {
  bool causal = false;  // token i sees tokens 0..i
  Tensor lengths = {};  // [B] int64: image b's keys from lengths[b] on are seen by none; undefined: all are seen
};

struct AttendOptions {
  double scale;  // of the scores, usually head_dim^-1/2
  VisibleKeys keys = {};
};

// qkv [B, L, 3, H, D], the last dimension contiguous -> [B, L, H, D] contiguous; differentiable.
using Attend = Tensor (*)(const Tensor& qkv, const AttendOptions& options);

// All that tells one kind from another.
struct AttentionKind {
  // What a U-ViT of it is called.
  const char* network;
  // Composed of LibTorch's operations: for what no kernel takes, and the measure of the kernels in tests.
  Attend reference;
  // On GPUs.
  Attend gpu;
  // Of the CPU kernels, a row of kernels/simd/weighting.h.
  const char* weighting;
  // The weights of the scores [.., L, L], as one would write them: what benchmarks call eager.
  Tensor (*weights)(const Tensor& scores);
};
std::span<const Entry<AttentionKind>> attention_kinds();

// By a kernel that keeps nothing of size L x L; by the reference where there is none: float64 and float16 on CPU, and
// what the kind's function for GPUs leaves to it.
Tensor fused_attention(const AttentionKind& kind, const Tensor& qkv, const AttendOptions& options);

}  // namespace uvic
