// What the compositions of LibTorch's operations share.
#pragma once

#include "transformer/attention.h"

namespace uvic {

// Query, key or value (which = 0, 1, 2) of a packed projection, [B, H, L, D].
Tensor unpack(const Tensor& qkv, int64_t which);

// The keys each query sees, [B or 1, 1, L, L] bool; undefined if that is all.
Tensor visible_keys(const Tensor& qkv, const AttendOptions& options);

}  // namespace uvic
