// The Frechet distance between two Gaussians, |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
#pragma once

#include "eval/stats.h"

namespace uvic {

// tr (S1 S2)^(1/2) is the sum of the singular values of F1^T F2 with F F^T = S, so the result is real, finite and not
// negative for any n >= 2. F has n - 1 columns if that is the rank (fewer samples than features), and then takes little
// time. All in float64.
// Error if the dimensions differ or an entry is not finite.
double frechet_distance(const Gaussian& a, const Gaussian& b);

// Its steps, for those who need what lies between. F [D, rank] float64 with F F^T = sigma, and the distance from the
// singular values of F_a^T F_b:
Tensor covariance_factor(const Gaussian& gaussian);
double frechet_distance(const Gaussian& a, const Gaussian& b, const Tensor& values);

// F_a^T F_b = U s V^T: u [rank of a, k], s [k], v [rank of b, k], in over twice the time of s alone. The vectors of
// values below a millionth of the largest are not to be relied on.
struct CrossTerm {
  Tensor u, s, v;
};
CrossTerm cross_term(const Tensor& factor_a, const Tensor& factor_b);

}  // namespace uvic
