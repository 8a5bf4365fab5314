// The weights of attention as functions of the scores: all that differs between its kinds.
//
// With S = exp(magnitude(P)) / sum and A = weight(S, P), the gradient of the scores is
//   dP = S dA - A D  (0 where A has no slope),   D_i = dO_i . O_i.
#pragma once

#include "transformer/kernels/simd/vec.h"

namespace uvic {
namespace {

struct Softmax {
  static constexpr const char* kName = "softmax";
  static Vec magnitude(Vec score) { return score; }
  static Vec weight(Vec share, Vec) { return share; }
  static Vec score_gradient(Vec share, Vec, Vec d_weight, Vec row_dot) { return share * (d_weight - row_dot); }
};

// sign(p) softmax(|p|); a zero score has no weight and no gradient, but its share of the sum.
struct Cog {
  static constexpr const char* kName = "cog";
  static IntVec sign(Vec score) { return reinterpret_cast<IntVec>(score) & INT32_MIN; }
  static Vec magnitude(Vec score) { return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(score) & INT32_MAX); }
  static Vec weight(Vec share, Vec score) {
    const Vec signed_share = reinterpret_cast<Vec>(reinterpret_cast<IntVec>(share) | sign(score));
    return score != 0 ? signed_share : Vec{};
  }
  static Vec score_gradient(Vec share, Vec score, Vec d_weight, Vec row_dot) {
    const Vec signed_dot = reinterpret_cast<Vec>(reinterpret_cast<IntVec>(row_dot) ^ sign(score));
    return score != 0 ? share * (d_weight - signed_dot) : Vec{};
  }
};

// The rows: each is compiled for every element type and named by an AttentionKind.
template <class... All>
struct Weightings {};
using AllWeightings = Weightings<Softmax, Cog>;

}  // namespace
}  // namespace uvic
