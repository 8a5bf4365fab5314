#include "eval/frechet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"
#include "eval/singular_values.h"

namespace uvic {
namespace {

void check(const Gaussian& gaussian) {
  if (!is_finite(gaussian.mu) || !is_finite(gaussian.sigma))
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

void move_rows(const Tensor& x, const std::vector<int64_t>& from, const std::vector<int64_t>& to) {
  x.index_copy_(0, at::tensor(to, at::kLong), x.index_select(0, at::tensor(from, at::kLong)));
}

// The same of columns, for a few of which index_copy_ takes long. Rows lie in one piece each.
void move_columns(const Tensor& x, const std::vector<int64_t>& from, const std::vector<int64_t>& to) {
  double* row = x.mutable_data_ptr<double>();
  for (int64_t r = 0; r < x.size(0); ++r, row += x.stride(0))
    for (size_t i = 0; i < from.size(); ++i) row[to[i]] = row[from[i]];
}

// F [D, rank] with F F^T = sigma, if sigma has at most that rank: the Cholesky factorisation whose next pivot is always
// the largest variance left. It ends when all is explained but rounding. What kPanel columns explain is taken off the
// covariance of the features that are no pivots yet at once, by a matrix product. nullopt if more than kRounding of the
// variance is left over, which means that the rank is larger, or missing, which means that sigma has negative
// eigenvalues.
std::optional<Tensor> factor_of_rank(const Tensor& sigma, int64_t rank) {
  constexpr int64_t kPanel = 64;
  constexpr double kRounding = 1e-10;
  const Tensor factor = at::zeros({rank, sigma.size(0)}, at::kDouble);  // F^T
  Tensor left = sigma.clone(at::MemoryFormat::Contiguous), variances = left.diagonal().clone(),
         features = at::arange(sigma.size(0));
  const double total = variances.sum().item<double>();
  int64_t found = 0;
  for (;;) {
    const Tensor panel = factor.new_empty({std::min(kPanel, rank - found), left.size(0)});
    std::vector<int64_t> pivots;
    while (std::ssize(pivots) < panel.size(0)) {
      const int64_t pivot = variances.argmax().item<int64_t>(), k = std::ssize(pivots);
      const double variance = variances[pivot].item<double>();
      if (!(variance > total * kEpsilon)) break;
      const Tensor before = panel.narrow(0, 0, k), column = panel[k];
      column.copy_(left[pivot]).addmv_(before.t(), before.select(1, pivot), 1, -1).div_(std::sqrt(variance));
      variances.addcmul_(column, column, -1)[pivot].zero_();
      pivots.push_back(pivot);
    }
    const int64_t count = std::ssize(pivots), rest = left.size(0) - count;
    factor.narrow(0, found, count).index_copy_(1, features, panel.narrow(0, 0, count));
    found += count;
    if (count < kPanel || found == rank) break;
    // The first places become those of the pivots: who is there moves to a place that a pivot leaves.
    std::vector<int64_t> from, to;
    std::sort(pivots.begin(), pivots.end());
    for (int64_t i = 0; i < count; ++i)
      if (!std::binary_search(pivots.begin(), pivots.end(), i)) from.push_back(i);
    std::copy_if(pivots.begin(), pivots.end(), std::back_inserter(to), [&](int64_t pivot) { return pivot >= count; });
    move_rows(left, from, to), move_rows(variances, from, to), move_rows(features, from, to);
    move_columns(left, from, to), move_columns(panel, from, to);
    left = left.narrow(0, count, rest).narrow(1, count, rest);
    variances = variances.narrow(0, count, rest), features = features.narrow(0, count, rest);
    const Tensor explained = panel.narrow(1, count, rest);
    left.addmm_(explained.t(), explained, 1, -1);
  }
  if (!(variances.abs().sum().item<double>() <= total * kRounding)) return std::nullopt;
  return factor.narrow(0, 0, found).t();
}

}  // namespace

// The covariance of n samples has at most the rank n - 1. But n can be unknown or, in a file, wrong.
Tensor covariance_factor(const Gaussian& gaussian) {
  check(gaussian);
  const int64_t dims = gaussian.mu.size(0);
  const auto factor = factor_of_rank(gaussian.sigma, gaussian.n > 0 ? std::min(gaussian.n - 1, dims) : dims);
  return factor ? *factor : factor_of_any_rank(gaussian.sigma);
}

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  if (a.mu.size(0) != b.mu.size(0))
    fail("Frechet distance: one side has {} features, the other {}; both must come from the same feature network",
         a.mu.size(0), b.mu.size(0));
  return frechet_distance(a, b, singular_values(at::mm(covariance_factor(a).t(), covariance_factor(b))));
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

double frechet_distance(const Gaussian& a, const Gaussian& b, const Tensor& values) {
  const double means = (a.mu - b.mu).square().sum().item<double>();
  const double traces = (a.sigma.trace() + b.sigma.trace()).item<double>();
  return std::max(0.0, means + traces - 2 * values.sum().item<double>());
}

}  // namespace uvic
