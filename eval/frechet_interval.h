// How certain a Frechet distance is, from the decompositions that the distance itself takes.
#pragma once

#include "eval/feature_set.h"
#include "eval/frechet.h"

namespace uvic {

// Half the width of the 95% interval of frechet_distance(a.moments, b.moments): 1.96 standard errors by the
// infinitesimal jackknife (Jaeckel 1972; Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter
// 6). It says how far the number would move with other images of the same sources and as many; a bias that depends on
// how many is no part of it. A set without a sample (statistics) counts as exact. Factors and cross term are those of
// eval/frechet.h.
double frechet_interval(const FeatureSet& a, const Tensor& factor_a, const FeatureSet& b, const Tensor& factor_b,
                        const CrossTerm& cross);

// The influence of each row of `sample` [m, D] on the distance of `a`, which it belongs to, to a Gaussian of mean mu_b:
// the derivative with respect to the row's weight, [m] float64, of mean 0 over all of a. `u` [rank of a, k] and `s` [k]
// are a's side of the cross term.
Tensor frechet_influence(const Gaussian& a, const Tensor& factor_a, const Tensor& sample, const Tensor& mu_b,
                         const Tensor& u, const Tensor& s);

}  // namespace uvic
