// How certain a Frechet distance is, from one decomposition.
#pragma once

#include "eval/feature_set.h"

namespace uvic {

// Half the width of the 95% interval of frechet_distance(a.moments, b.moments): 1.96 standard errors by the
// infinitesimal jackknife (Jaeckel 1972; Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter
// 6). It says how far the number would move with other images of the same sources and as many; a bias that depends on
// how many is no part of it. A set without a sample (statistics) counts as exact. The factors are covariance_factor of
// each.
double frechet_interval(const FeatureSet& a, const Tensor& factor_a, const FeatureSet& b, const Tensor& factor_b);

// The influence of each row of `sample` [m, D] on the distance of `a`, which it belongs to, to b: the derivative with
// respect to the row's weight, [m] float64, of mean 0 over all of a.
Tensor frechet_influence(const Gaussian& a, const Tensor& factor_a, const Tensor& sample, const Gaussian& b,
                         const Tensor& factor_b);

}  // namespace uvic
