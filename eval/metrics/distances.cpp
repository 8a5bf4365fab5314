#include "eval/metrics/distances.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr int64_t kRows = 1024, kColumns = 4096;  // 32 MiB of distances
constexpr int64_t kManyPairs = 100'000'000;       // take seconds

// Rounding in float64, with room to spare, as a part of the squares that cancel.
constexpr double kRounding = 1e-12;

std::vector<Tensor> chunks(const Tensor& x, int64_t rows) {
  return x.size(0) == 0 ? std::vector<Tensor>() : x.split(rows);
}

Tensor mean_of(const Tensor& x) {
  Tensor sum = at::zeros({x.size(1)}, at::kDouble);
  for (const Tensor& rows : chunks(x, kColumns)) sum += rows.to(at::kDouble).sum(0);
  return sum / static_cast<double>(x.size(0));
}

}  // namespace

void for_each_distance_block(const Tensor& x, const Tensor& y, const std::function<void(const DistanceBlock&)>& visit) {
  const Tensor shift = mean_of(y);
  std::optional<Progress> progress;
  if (x.size(0) * y.size(0) > kManyPairs) progress.emplace("distances", x.size(0), "image");
  int64_t i = 0;
  for (const Tensor& rows : chunks(x, kRows)) {
    const Tensor a = rows.to(at::kDouble) - shift, a_squares = a.square().sum(1, /*keepdim=*/true);
    int64_t j = 0;
    for (const Tensor& columns : chunks(y, kColumns)) {
      stop_if_interrupted();
      const Tensor b = columns.to(at::kDouble) - shift, b_squares = b.square().sum(1);
      const Tensor d = at::mm(a, b.t()).mul_(-2).add_(a_squares).add_(b_squares).clamp_min_(0);
      visit({i, j, d, kRounding * (a_squares.max() + b_squares.max()).item<double>()});
      j += columns.size(0);
    }
    i += rows.size(0);
    if (progress) progress->update(i);
  }
}

Tensor exact_distances(const Tensor& x, const Tensor& i, const Tensor& y, const Tensor& j) {
  std::vector<Tensor> distances = {at::empty({0}, at::kDouble)};
  for (int64_t begin = 0; begin < i.size(0); begin += kRows) {
    const int64_t count = std::min(kRows, i.size(0) - begin);
    const auto rows = [&](const Tensor& z, const Tensor& which) {
      return z.index_select(0, which.narrow(0, begin, count)).to(at::kDouble);
    };
    distances.push_back((rows(x, i) - rows(y, j)).square().sum(1));
  }
  return at::cat(distances);
}

Tensor neighbour_distances(const Tensor& x, const std::vector<int64_t>& k) {
  const int64_t count = x.size(0), most = *std::max_element(k.begin(), k.end());
  if (count <= most) fail("the distance to neighbour {} needs more than {} images, there are {}", most, most, count);
  const int64_t kept = most + 1;  // the row itself is its own nearest
  const Tensor nearest = at::full({count, kept}, std::numeric_limits<double>::infinity(), at::kDouble);
  const Tensor who = at::zeros({count, kept}, at::kLong);
  for_each_distance_block(x, x, [&](const DistanceBlock& block) {
    const int64_t rows = block.d.size(0);
    const Tensor best = nearest.narrow(0, block.i, rows), whose = who.narrow(0, block.i, rows);
    const auto [values, places] = block.d.topk(std::min(kept, block.d.size(1)), 1, /*largest=*/false);
    const auto [merged, order] = at::cat({best, values}, 1).topk(kept, 1, /*largest=*/false);
    const Tensor names = at::cat({whose, places + block.j}, 1).gather(1, order);
    best.copy_(merged);
    whose.copy_(names);
  });
  const Tensor rows = at::arange(count).repeat_interleave(kept);
  const Tensor exact = std::get<0>(exact_distances(x, rows, x, who.flatten()).view({count, kept}).sort(1));
  std::vector<Tensor> result;
  for (const int64_t neighbour : k) result.push_back(exact.select(1, neighbour));
  return at::stack(result);
}

}  // namespace uvic
