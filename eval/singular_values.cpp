#include "eval/singular_values.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace uvic {
namespace {

constexpr int64_t kBand = 32;  // diagonals above the main one

// Q = I - v t v^T, a product of reflections.
struct Reflections {
  Tensor v, t;  // [rows, k], [k, k]
};

// x [rows, columns] becomes R = Q^T x, upper triangular. t^-1 holds the inverse scales of the reflections on its
// diagonal and v^T v above (Joffrain et al., Accumulating Householder transformations, revisited, 2006). The scale 0 of
// a reflection that does nothing becomes infinite there, and 0 in t again.
Reflections triangulate(const Tensor& x) {
  const auto [qr, scales] = at::geqrf(x);
  const int64_t k = scales.size(0);
  const Tensor v = qr.narrow(1, 0, k).tril(-1);
  v.diagonal().fill_(1);
  x.copy_(qr.triu());
  const Tensor inverse = at::mm(v.t(), v).triu(1) + at::diag(scales.reciprocal());
  return {v, at::linalg_solve_triangular(inverse, at::eye(k, at::kDouble), /*upper=*/true)};
}

// a [rows, columns], rows >= columns, becomes zero but for its main diagonal and kBand above it: by turns a block of
// columns loses what is below the diagonal and their rows what is beyond the band.
void reduce_to_band(const Tensor& a) {
  const int64_t rows = a.size(0), columns = a.size(1);
  for (int64_t begin = 0; begin < columns; begin += kBand) {
    const int64_t end = std::min(begin + kBand, columns);
    const Tensor below = a.narrow(0, begin, rows - begin);
    const auto [v, t] = triangulate(below.narrow(1, begin, end - begin));
    if (end == columns) break;
    const Tensor rest = below.narrow(1, end, columns - end);
    rest.addmm_(v, at::mm(t.t(), at::mm(v.t(), rest)), 1, -1);
    const auto [u, s] = triangulate(rest.narrow(0, 0, end - begin).t());
    const Tensor under = a.narrow(0, end, rows - end).narrow(1, end, columns - end);
    under.addmm_(at::mm(at::mm(under, u), s), u.t(), 1, -1);
  }
}

// A square matrix of which only a band is stored: entry (r, c) at r * kStride + c. With room for what is chased along
// the band, kBand - 1 diagonals below and 2 kBand - 1 above, and kBand zero rows at the end, so that a reflection
// always has kBand entries.
class Band {
 public:
  explicit Band(int64_t size) : entries_(kBand + (size + kBand) * (kStride + 1)) {}

  static constexpr int64_t kStride = 3 * kBand;
  double* at(int64_t r, int64_t c) { return entries_.data() + kBand + r * kStride + c; }

 private:
  std::vector<double> entries_;
};

// I - scale v v^T
struct Reflection {
  double scale;
  alignas(64) double v[kBand];
};

// That which leaves of x [kBand] the first entry alone.
Reflection reflection_of(const double* x, int64_t stride) {
  constexpr double kNegligible = 1e-280;  // a square, of which smaller ones lose precision
  Reflection h{0, {}};
  for (int64_t i = 0; i < kBand; ++i) h.v[i] = x[i * stride];
  double squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 1; i < kBand; ++i) squares += h.v[i] * h.v[i];
  if (squares < kNegligible) return h;
  const double becomes = -std::copysign(std::sqrt(x[0] * x[0] + squares), x[0]), divisor = x[0] - becomes;
  h.scale = 1 - x[0] / becomes;
#pragma omp simd
  for (int64_t i = 0; i < kBand; ++i) h.v[i] /= divisor;
  h.v[0] = 1;
  return h;
}

// block [rows, kBand] = block (I - scale v v^T)
void reflect_rows(double* block, int64_t rows, const Reflection& h) {
  for (double* row = block; row < block + rows * Band::kStride; row += Band::kStride) {
    double product = 0;
#pragma omp simd reduction(+ : product)
    for (int64_t i = 0; i < kBand; ++i) product += row[i] * h.v[i];
    product *= h.scale;
#pragma omp simd
    for (int64_t i = 0; i < kBand; ++i) row[i] -= product * h.v[i];
  }
}

// block [kBand, 2 kBand] = (I - scale v v^T) block
void reflect_columns(double* block, const Reflection& h) {
  constexpr int64_t kColumns = 2 * kBand;
  alignas(64) double products[kColumns] = {};
  for (int64_t r = 0; r < kBand; ++r)
#pragma omp simd
    for (int64_t i = 0; i < kColumns; ++i) products[i] += h.v[r] * block[r * Band::kStride + i];
  for (int64_t r = 0; r < kBand; ++r)
#pragma omp simd
    for (int64_t i = 0; i < kColumns; ++i) block[r * Band::kStride + i] -= h.scale * h.v[r] * products[i];
}

// Row after row loses what is beyond its second diagonal. That fills a block below the main diagonal, whose first
// column is cleared by a reflection of rows, which fills the next block's first row beyond the band, and so on to the
// end. The rest of each block is left to the next row, whose chase clears it column by column.
void reduce_to_bidiagonal(Band& band, int64_t size) {
  for (int64_t first = 0; first + 1 < size; ++first)
    for (int64_t r = first, c = first + 1; c < size; r = c, c += kBand) {
      const Reflection right = reflection_of(band.at(r, c), 1);
      reflect_rows(band.at(r, c), c + kBand - r, right);
      const Reflection left = reflection_of(band.at(c, c), Band::kStride);
      reflect_columns(band.at(c, c), left);
    }
}

// How many singular values are below each of kLanes limits, of an upper bidiagonal matrix B with these squares of
// entries on and above the diagonal: the negative pivots of B^T B - limit^2, by the differential form of the stationary
// quotient-difference algorithm, which is accurate for values of any size.
constexpr int64_t kLanes = 32;
void count_below(const double* limits, const double* diagonal, const double* above, int64_t size, double* counts) {
  constexpr double kTiny = 1e-290;  // stands for a pivot of 0
  double shift[kLanes], state[kLanes], signs[kLanes] = {};
  for (int64_t l = 0; l < kLanes; ++l) shift[l] = limits[l] * limits[l], state[l] = -shift[l];
  for (int64_t i = 0; i < size; ++i)
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) {
      double pivot = diagonal[i] + state[l];
      pivot = std::abs(pivot) < kTiny ? -kTiny : pivot;
      signs[l] += std::copysign(1.0, pivot);  // no comparison, which would become a branch
      state[l] = state[l] / pivot * above[i] - shift[l];
    }
  for (int64_t l = 0; l < kLanes; ++l) counts[l] = (static_cast<double>(size) - signs[l]) / 2;
}

// Ascending; `diagonal` and `above` (0 at its end) are squares as above, of a matrix whose values are at most 1.
std::vector<double> bisect(const std::vector<double>& diagonal, const std::vector<double>& above) {
  const int64_t size = std::ssize(diagonal), groups = (size + kLanes - 1) / kLanes;
  std::vector<double> low(size), high(size), limits(groups * kLanes), counts(groups * kLanes);
  const auto count_all = [&] {
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g)
        count_below(&limits[g * kLanes], diagonal.data(), above.data(), size, &counts[g * kLanes]);
    });
  };
  // First between which of `size` equal steps each is, then by halves.
  const double step = 1.0 / static_cast<double>(size);
  for (int64_t i = 0; i < size; ++i) limits[i] = static_cast<double>(i + 1) * step;
  count_all();
  for (int64_t k = 0, i = 0; k < size; ++k) {
    while (i + 1 < size && counts[i] <= static_cast<double>(k)) ++i;
    low[k] = static_cast<double>(i) * step, high[k] = limits[i];
  }
  for (double width = step; width > 0x1p-53; width /= 2) {
    for (int64_t k = 0; k < size; ++k) limits[k] = (low[k] + high[k]) / 2;
    count_all();
    for (int64_t k = 0; k < size; ++k) (counts[k] > static_cast<double>(k) ? high : low)[k] = limits[k];
  }
  return high;
}

}  // namespace

Tensor singular_values(const Tensor& m) {
  const at::NoGradGuard no_grad;
  if (m.size(0) < m.size(1)) return singular_values(m.t());
  const int64_t size = m.size(1);
  const double largest = size == 0 ? 0 : m.abs().max().item<double>();
  if (largest == 0) return at::zeros({size}, at::kDouble);
  const Tensor a = at::div(m, largest).contiguous();  // of which squares neither overflow nor vanish
  reduce_to_band(a);
  Band band(size);
  for (int64_t r = 0; r < size; ++r)
    std::copy_n(a.const_data_ptr<double>() + r * size + r, std::min(kBand + 1, size - r), band.at(r, r));
  reduce_to_bidiagonal(band, size);
  const auto above_of = [&](int64_t r) { return r >= 0 && r + 1 < size ? std::abs(*band.at(r, r + 1)) : 0; };
  double bound = 0;  // of all values: the largest sum of a row or column
  for (int64_t r = 0; r < size; ++r)
    bound = std::max(bound, std::abs(*band.at(r, r)) + std::max(above_of(r), above_of(r - 1)));
  std::vector<double> diagonal(size), above(size);
  for (int64_t r = 0; r < size; ++r)
    diagonal[r] = std::pow(*band.at(r, r) / bound, 2), above[r] = std::pow(above_of(r) / bound, 2);
  return at::tensor(bisect(diagonal, above), at::kDouble).flip(0) * (bound * largest);
}

}  // namespace uvic
