// The parts of a decoder's layer as fused operations on CPU in float32, differentiable; what they do not take runs as
// plain operations. Results are the same bits at any number of threads, but for products of 2 to 63 rows, which are
// LibTorch's.
#pragma once

#include "transformer/layers.h"

namespace uvic {

// x w, x [.., K], w [K, N]
Tensor multiply_rows(const Tensor& x, const Tensor& w);

// norm(x)
Tensor rms_norm(const Tensor& x, const RmsNorm& norm);

// The pairs (2 i, 2 i + 1) of x [B, L, H, D] turn by the angles of their token, cosines and sines [L, D / 2]; x's type,
// computed in that of the angles.
Tensor rotate_pairs(const Tensor& x, const Tensor& cos, const Tensor& sin);

// g silu(p)
Tensor gate_by_silu(const Tensor& g, const Tensor& p);

}  // namespace uvic
