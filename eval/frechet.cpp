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
// is always the largest variance left. It ends when all is explained but rounding. Takes O(D rank^2), not O(D^3).
Tensor factor_of_rank(const Tensor& sigma, int64_t rank) {
  const Tensor columns = at::empty({rank, sigma.size(0)}, at::kDouble);  // F^T
  const Tensor left = sigma.diagonal().clone();
  const double floor = left.sum().item<double>() * kEpsilon;
  for (int64_t k = 0; k < rank; ++k) {
    const int64_t pivot = left.argmax().item<int64_t>();
    const double variance = left[pivot].item<double>();
    if (variance <= floor) return columns.narrow(0, 0, k).t();
    const Tensor before = columns.narrow(0, 0, k);
    const Tensor column = (sigma[pivot] - at::mv(before.t(), before.select(1, pivot))) / std::sqrt(variance);
    columns[k].copy_(column);
    left.sub_(column.square());
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
  const at::NoGradGuard no_grad;
  return frechet_distance(a, covariance_factor(a), b, covariance_factor(b));
}

double frechet_distance(const Gaussian& a, const Tensor& factor_a, const Gaussian& b, const Tensor& factor_b) {
  const double means = (a.mu - b.mu).square().sum().item<double>();
  const double traces = (a.sigma.trace() + b.sigma.trace()).item<double>();
  const Tensor product = at::mm(factor_a.t(), factor_b);
  const double cross = product.numel() == 0 ? 0.0 : at::linalg_svdvals(product).sum().item<double>();
  return std::max(0.0, means + traces - 2 * cross);
}

}  // namespace uvic
