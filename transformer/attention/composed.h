// What the compositions of LibTorch's operations share.
#pragma once

#include "transformer/attention.h"

namespace uvic {

// [B, L, H, D] -> [B, H, L, D]
inline Tensor heads_first(const Tensor& x) {
  return x.transpose(1, 2);
}

// The keys each query sees, [B or 1, 1, queries, keys] bool; undefined if that is all.
Tensor visible_mask(const Qkv& qkv, const AttendOptions& options);

}  // namespace uvic
