// The Frechet distance between two Gaussians, |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
#pragma once

#include "eval/stats.h"

namespace uvic {

// tr (S1 S2)^(1/2) is the sum of the singular values of F1^T F2 with F F^T = S; the factors come from symmetric
// eigen-decompositions in float64 whose rounding is cut off (below the precision of the largest eigenvalue, and all but
// the n - 1 largest when n is known), so the result is real, finite and not negative for any n >= 2.
// Error if the dimensions differ or an entry is not finite.
double frechet_distance(const Gaussian& a, const Gaussian& b);

}  // namespace uvic
