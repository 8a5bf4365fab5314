#include "eval/frechet_interval.h"

#include <cmath>

#include "core/error.h"

namespace uvic {
namespace {

constexpr double k95 = 1.959963984540054;
constexpr int64_t kRowsAtOnce = 1024;

double squared_error(const FeatureSet& a, const Tensor& factor_a, const FeatureSet& b, const Tensor& factor_b) {
  if (!a.sample.defined()) return 0;
  const Tensor influence = frechet_influence(a.moments, factor_a, a.sample, b.moments, factor_b);
  return influence.var(/*unbiased=*/true).item<double>() / static_cast<double>(a.moments.n);
}

}  // namespace

// d^2 = |mu - nu|^2 + tr S + tr T - 2 tr (S T)^(1/2) has the derivatives 2 (mu - nu) in mu and I - M in S, where M is
// the map that carries the one Gaussian to the other. With S = F F^T, T = G G^T, F^T G = U s V^T and x - mu = F z, (x -
// mu)^T M (x - mu) = sum_k s_k (U^T z)_k^2. U and s come from the eigenvectors of F^T G G^T F.
Tensor frechet_influence(const Gaussian& a, const Tensor& factor_a, const Tensor& sample, const Gaussian& b,
                         const Tensor& factor_b) {
  const at::NoGradGuard no_grad;
  const Tensor influence = at::zeros({sample.size(0)}, at::kDouble);
  if (factor_a.size(1) == 0) return influence;  // all of a is one point
  const Tensor product = at::mm(factor_a.t(), factor_b);
  const auto [squares, u] = at::linalg_eigh(at::mm(product, product.t()));
  const Tensor s = squares.clamp_min(0).sqrt();
  const auto [q, r] = at::linalg_qr(factor_a);
  const Tensor gap = a.mu - b.mu;
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

double frechet_interval(const FeatureSet& a, const Tensor& factor_a, const FeatureSet& b, const Tensor& factor_b) {
  return k95 * std::sqrt(squared_error(a, factor_a, b, factor_b) + squared_error(b, factor_b, a, factor_a));
}

}  // namespace uvic
