// The kinds of attention a block can use.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"
#include "transformer/visible_keys.h"

namespace uvic {

struct AttendOptions {
  double scale;  // of the scores, usually head_dim^-1/2
  VisibleKeys keys = {};
};

// q [B, queries, H, D], k and v [B, keys, H, D].
struct Qkv {
  Tensor q, k, v;
  Tensor packed = {};  // what they are views of, if they are; kernels then give its gradient in one piece
};
// Of a projection [B, L, 3, H, D].
Qkv unpack(const Tensor& packed);

// The options with the keys as kernels take them (visible_keys.h). Error if they do not fit.
AttendOptions checked(const Qkv& qkv, const AttendOptions& options);

// -> [B, queries, H, D] contiguous; differentiable. A query that sees no key gets zeros.
using Attend = Tensor (*)(const Qkv& qkv, const AttendOptions& options);

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

// By a kernel that keeps nothing of size L x L, and whose time grows as the number of keys that are seen; by the
// reference where there is none: float64 and float16 on CPU, and what the kind's function for GPUs leaves to it.
Tensor fused_attention(const AttentionKind& kind, const Qkv& qkv, const AttendOptions& options);

}  // namespace uvic
