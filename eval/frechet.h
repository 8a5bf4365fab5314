// The Frechet distance between two Gaussians, |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
#pragma once

#include "eval/stats.h"

namespace uvic {

// tr (S1 S2)^(1/2) is the sum of the singular values of S1^(1/2) S2^(1/2); the roots come from symmetric
// eigen-decompositions in float64 with negative rounding clamped, so the result is real and finite for any n >= 2.
// Error if the dimensions differ or an entry is not finite.
double frechet_distance(const Gaussian& a, const Gaussian& b);

}  // namespace uvic
