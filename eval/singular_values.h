// Singular values without vectors, in a fraction of the time of LAPACK's one-stage reduction.
#pragma once

#include "core/tensor.h"

namespace uvic {

// The singular values of m [rows, columns], [min(rows, columns)] float64, descending; m is float64 and finite. Each is
// right to rounding of the largest: m is reduced by orthogonal transformations alone, first to a band by blocks of
// Householder reflections, which are matrix products (Grosser and Lang, Efficient parallel reduction to bidiagonal
// form, 1999), then to two diagonals, by chasing what each reflection leaves below the band down the matrix (Lang,
// Parallel reduction of banded matrices to bidiagonal form, 1996). The values of those are found by bisection
// (Fernando, Accurately counting singular values of bidiagonal matrices, 1998). Only the products depend on the number
// of threads.
Tensor singular_values(const Tensor& m);

}  // namespace uvic
