#include "eval/frechet.h"

#include <cmath>
#include <limits>

#include "core/error.h"

namespace uvic {
namespace {

void check(const Gaussian& gaussian) {
  if (!at::isfinite(gaussian.mu).all().item<bool>() || !at::isfinite(gaussian.sigma).all().item<bool>())
    fail("Frechet distance: a mean or covariance holds a non-finite number");
}

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// F [D, rank] with F F^T = sigma: eigenvectors times the roots of their eigenvalues. Eigenvalues below the precision of
// the largest can only be rounding and are left out.
Tensor factor_of_any_rank(const Tensor& sigma) {
  const auto [values, vectors] = at::linalg_eigh(sigma);  // ascending
  const int64_t dims = values.size(0);
  const int64_t rank = (values > values[dims - 1].item<double>() * kEpsilon).sum().item<int64_t>();
  return vectors.narrow(1, dims - rank, rank) * values.narrow(0, dims - rank, rank).sqrt();
}

// F [D, rank] with F F^T = sigma, which is known to have at most that rank: the Cholesky factorisation whose next pivot
// is always the largest variance left. It ends when all is explained but rounding. What
// kPanel columns explain is taken off the whole matrix at once, by a matrix product: O(D^2 rank) of the fastest kind.
Tensor factor_of_rank(const Tensor& sigma, int64_t rank) {
  constexpr int64_t kPanel = 64;
  const Tensor columns = at::empty({rank, sigma.size(0)}, at::kDouble);  // F^T
  const Tensor left = sigma.clone(), variances = sigma.diagonal().clone();
  const double floor = variances.sum().item<double>() * kEpsilon;
  for (int64_t begin = 0; begin < rank; begin += kPanel) {
    const int64_t end = std::min(begin + kPanel, rank);
    if (begin > 0) {
      const Tensor before = columns.narrow(0, begin - kPanel, kPanel);
      left.addmm_(before.t(), before, 1, -1);
    }
    for (int64_t k = begin; k < end; ++k) {
      const int64_t pivot = variances.argmax().item<int64_t>();
      const double variance = variances[pivot].item<double>();
      if (variance <= floor) return columns.narrow(0, 0, k).t();
      const Tensor panel = columns.narrow(0, begin, k - begin);
      const Tensor column = (left[pivot] - at::mv(panel.t(), panel.select(1, pivot))) / std::sqrt(variance);
      columns[k].copy_(column);
      variances.sub_(column.square());
    }
  }
  return columns.t();
}

}  // namespace

// The covariance of n samples has at most the rank n - 1.
Tensor covariance_factor(const Gaussian& gaussian) {
  check(gaussian);
  const bool is_deficient = gaussian.n > 0 && gaussian.n <= gaussian.mu.size(0);
  return is_deficient ? factor_of_rank(gaussian.sigma, gaussian.n - 1) : factor_of_any_rank(gaussian.sigma);
}

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  if (a.mu.size(0) != b.mu.size(0))
    fail("Frechet distance: one side has {} features, the other {}; both must come from the same feature network",
         a.mu.size(0), b.mu.size(0));
  return frechet_distance(a, b, cross_term(covariance_factor(a), covariance_factor(b)));
}

// The eigenvectors U of M M^T are those of M, and |U_k^T M| its singular values, in a third of the time of their
// decomposition. Squares lose what is small: below kSmall of the largest, the rows of U^T M need not be orthogonal, and
// their values come from that block alone.
CrossTerm cross_term(const Tensor& factor_a, const Tensor& factor_b) {
  constexpr double kSmall = 1e-6;
  if (factor_a.size(1) > factor_b.size(1)) {
    const CrossTerm turned = cross_term(factor_b, factor_a);
    return {turned.v, turned.s, turned.u};
  }
  const at::NoGradGuard no_grad;
  const Tensor m = at::mm(factor_a.t(), factor_b);
  if (m.numel() == 0)
    return {at::empty({m.size(0), 0}, at::kDouble), at::empty({0}, at::kDouble),
            at::empty({m.size(1), 0}, at::kDouble)};
  const Tensor u = std::get<1>(at::linalg_eigh(at::mm(m, m.t())));  // values ascend
  const Tensor rows = at::mm(u.t(), m), s = rows.norm(2, 1);
  const Tensor v = (rows / s.clamp_min(std::numeric_limits<double>::min()).unsqueeze(1)).t();
  const int64_t small = (s <= kSmall * s.max()).sum().item<int64_t>();
  if (small > 0) s.narrow(0, 0, small).copy_(at::linalg_svdvals(rows.narrow(0, 0, small)).flip(0));
  return {u, s, v};
}

double frechet_distance(const Gaussian& a, const Gaussian& b, const CrossTerm& cross) {
  const double means = (a.mu - b.mu).square().sum().item<double>();
  const double traces = (a.sigma.trace() + b.sigma.trace()).item<double>();
  return std::max(0.0, means + traces - 2 * cross.s.sum().item<double>());
}

}  // namespace uvic
