// Distances between all pairs of two sets, block by block, so that no [N, M] matrix is ever kept.
#pragma once

#include <functional>

#include "core/tensor.h"

namespace uvic {

// Squared distances d [n, m] float64 of the rows of x from i to those of y from j, by |x|^2 + |y|^2 - 2 x.y of features
// shifted by their mean. None is off by more than `error`.
struct DistanceBlock {
  int64_t i, j;
  Tensor d;
  double error;
};

// Visits all blocks of x [N, D] and y [M, D], those of one row of blocks in order. Shows progress where it takes long.
// Interrupted after Ctrl-C.
void for_each_distance_block(const Tensor& x, const Tensor& y, const std::function<void(const DistanceBlock&)>& visit);

// Squared distances of the pairs x[i[p]], y[j[p]] from their differences in float64: equal for equal pairs, whichever
// way round. [P]
Tensor exact_distances(const Tensor& x, const Tensor& i, const Tensor& y, const Tensor& j);

// The k[q]-th smallest squared distance of each row of x to the others of x, exact: [q, N] float64. Error unless every
// k is less than N.
Tensor neighbour_distances(const Tensor& x, const std::vector<int64_t>& k);

}  // namespace uvic
