#include "eval/frechet_interval.h"

#include <cmath>

#include "core/error.h"

namespace uvic {
namespace {

constexpr int64_t kRowsAtOnce = 1024;

double squared_error(const FeatureSet& a, const Tensor& factor_a, const Tensor& mu_b, const Tensor& u,
                     const Tensor& s) {
  if (!a.sample.defined()) return 0;
  const Tensor influence = frechet_influence(a.moments, factor_a, a.sample, mu_b, u, s);
  return influence.var(/*unbiased=*/true).item<double>() / static_cast<double>(a.moments.n);
}

}  // namespace

// d^2 = |mu - nu|^2 + tr S + tr T - 2 tr (S T)^(1/2) has the derivatives 2 (mu - nu) in mu and I - M in S, where M is
// the map that carries the one Gaussian to the other. With S = F F^T, T = G G^T, F^T G = U s V^T and x - mu = F z, (x -
// mu)^T M (x - mu) = sum_k s_k (U^T z)_k^2.
Tensor frechet_influence(const Gaussian& a, const Tensor& factor_a, const Tensor& sample, const Tensor& mu_b,
                         const Tensor& u, const Tensor& s) {
  const at::NoGradGuard no_grad;
  const Tensor influence = at::zeros({sample.size(0)}, at::kDouble);
  if (factor_a.size(1) == 0) return influence;  // all of a is one point
  const auto [q, r] = at::linalg_qr(factor_a);
  const Tensor gap = a.mu - mu_b;
  // The rows x of a block become U^T z, z = R^-1 Q^T (x - mu).
  const Tensor to_z = at::mm(at::linalg_solve_triangular(r, q.t(), /*upper=*/true).t(), u);
  const double mean = a.sigma.trace().item<double>() - s.sum().item<double>();
  for (int64_t begin = 0; begin < sample.size(0); begin += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, sample.size(0) - begin);
    const Tensor x = sample.narrow(0, begin, rows).to(at::kDouble) - a.mu;
    const Tensor along = at::mv(at::mm(x, to_z).square(), s);
    influence.narrow(0, begin, rows).copy_(2 * at::mv(x, gap) + x.square().sum(1) - along - mean);
  }
  return influence;
}

double frechet_interval(const FeatureSet& a, const Tensor& factor_a, const FeatureSet& b, const Tensor& factor_b,
                        const CrossTerm& cross) {
  return k95 * std::sqrt(squared_error(a, factor_a, b.moments.mu, cross.u, cross.s) +
                         squared_error(b, factor_b, a.moments.mu, cross.v, cross.s));
}

}  // namespace uvic
