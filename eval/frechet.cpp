#include "eval/frechet.h"

#include <limits>

#include "core/error.h"

namespace uvic {
namespace {

void check(const Gaussian& gaussian) {
  if (!at::isfinite(gaussian.mu).all().item<bool>() || !at::isfinite(gaussian.sigma).all().item<bool>())
    fail("Frechet distance: a mean or covariance holds a non-finite number");
}

// F [D, rank] with F F^T = sigma: eigenvectors times the roots of their eigenvalues. Eigenvalues that can only be
// rounding are left out: those below the precision of the largest, and with n samples all but the n - 1 largest.
Tensor factor(const Gaussian& gaussian) {
  const auto [values, vectors] = at::linalg_eigh(gaussian.sigma);  // ascending
  const int64_t dims = values.size(0);
  const double floor = values[dims - 1].item<double>() * std::numeric_limits<double>::epsilon();
  int64_t rank = (values > floor).sum().item<int64_t>();
  if (gaussian.n > 0) rank = std::min(rank, gaussian.n - 1);
  const Tensor kept = values.narrow(0, dims - rank, rank).clamp_min(0);
  return vectors.narrow(1, dims - rank, rank) * kept.sqrt();
}

}  // namespace

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  if (a.mu.size(0) != b.mu.size(0))
    fail("Frechet distance: one side has {} features, the other {}; both must come from the same feature network",
         a.mu.size(0), b.mu.size(0));
  check(a);
  check(b);
  const at::NoGradGuard no_grad;
  const double means = (a.mu - b.mu).square().sum().item<double>();
  const double traces = (a.sigma.trace() + b.sigma.trace()).item<double>();
  const Tensor product = at::mm(factor(a).t(), factor(b));
  const double cross = product.numel() == 0 ? 0.0 : at::linalg_svdvals(product).sum().item<double>();
  return std::max(0.0, means + traces - 2 * cross);
}

}  // namespace uvic
