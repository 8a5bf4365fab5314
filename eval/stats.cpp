#include "eval/stats.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "core/formats/npz.h"
#include "core/one_by_one.h"
#include "eval/npz_notes.h"
#include "eval/stats_shard.h"

namespace uvic {
namespace {

// Rows of a covariance in pieces of constant size, each on one thread: where work is cut changes rounding, and the
// number of threads must not.
void in_panels(int64_t rows, const std::function<void(int64_t begin, int64_t length)>& run) {
  constexpr int64_t kPanel = 128;
  each_on_one_thread((rows + kPanel - 1) / kPanel,
                     [&](int64_t i) { run(i * kPanel, std::min(kPanel, rows - i * kPanel)); });
}

Tensor entry(const TensorMap& arrays, const std::string& name, int64_t dims, const std::string& file) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) {
    std::string present;
    for (const auto& [key, array] : arrays) present += (present.empty() ? "" : ", ") + key;
    fail(
        "{}: no array '{}' (it has: {}); statistics are an .npz with mu [D] and sigma [D, D], as pytorch-fid or "
        "`uvic stats` write it, images one with arr_0 [N, H, W, 3]",
        file, name, present.empty() ? "nothing" : present);
  }
  const Tensor array = found->second;
  if (array.dim() != dims) fail("{}: '{}' has {} dimensions, expected {}", file, name, array.dim(), dims);
  if (!at::isFloatingType(array.scalar_type()))
    fail("{}: '{}' holds {}, expected floating-point numbers", file, name, at::toString(array.scalar_type()));
  if (!is_finite(array)) fail("{}: '{}' holds a non-finite number", file, name);
  return array.to(at::kDouble).contiguous();
}

// The largest |a_ij - a_ji| of a square matrix, in tiles, so that columns are read as fast as rows.
double asymmetry_of(const Tensor& square) {
  constexpr int64_t kTile = 32;
  const int64_t size = square.size(0);
  const double* at = square.const_data_ptr<double>();
  double largest = 0;
  for (int64_t row = 0; row < size; row += kTile)
    for (int64_t column = 0; column <= row; column += kTile)
      for (int64_t r = row; r < std::min(row + kTile, size); ++r)
        for (int64_t c = column; c < std::min(column + kTile, size); ++c)
          largest = std::max(largest, std::abs(at[r * size + c] - at[c * size + r]));
  return largest;
}

}  // namespace

void FeatureStats::add(const Tensor& features) {
  TORCH_CHECK(features.dim() == 2 && features.is_floating_point(), "features are a [B, D] floating-point tensor");
  if (features.size(0) == 0) return;
  const at::NoGradGuard no_grad;
  FeatureStats batch;
  const Tensor x = features.to(at::kCPU, at::kDouble);
  batch.n_ = x.size(0);
  batch.mean_ = one_by_one(1, [&](int64_t) { return x.mean(0); });
  const Tensor centred = x - batch.mean_;
  batch.scatter_ = at::empty({x.size(1), x.size(1)}, at::kDouble);
  in_panels(x.size(1), [&](int64_t begin, int64_t length) {
    batch.scatter_.narrow(0, begin, length).copy_(at::mm(centred.narrow(1, begin, length).t(), centred));
  });
  merge(batch);
}

// Chan, Golub and LeVeque (1979): S = Sa + Sb + na nb / (na + nb) d d^T with d = mean_b - mean_a.
void FeatureStats::merge(const FeatureStats& other) {
  if (other.n_ == 0) return;
  if (n_ == 0) {
    n_ = other.n_;
    mean_ = other.mean_.clone();
    scatter_ = other.scatter_.clone();
    return;
  }
  TORCH_CHECK(mean_.sizes() == other.mean_.sizes(), "merging statistics of ", mean_.size(0), " and ",
              other.mean_.size(0), " features");
  const double na = static_cast<double>(n_), nb = static_cast<double>(other.n_), n = na + nb;
  const Tensor gap = other.mean_ - mean_;
  in_panels(mean_.size(0), [&](int64_t begin, int64_t length) {
    scatter_.narrow(0, begin, length)
        .add_(other.scatter_.narrow(0, begin, length))
        .addr_(gap.narrow(0, begin, length), gap, /*beta=*/1, /*alpha=*/na * nb / n);
  });
  mean_.add_(gap, nb / n);
  n_ += other.n_;
}

Gaussian FeatureStats::fit() const {
  if (n_ < 2) fail("a covariance needs at least 2 images, there {} {}", n_ == 1 ? "is" : "are", n_);
  return {mean_.clone(), scatter_ / static_cast<double>(n_ - 1), n_};
}

Gaussian read_gaussian(const std::filesystem::path& path, std::map<std::string, std::string>* notes) {
  const TensorMap arrays = read_npz(path);
  const std::string file = path.string();
  refuse_shard(file, notes_in(arrays));
  Gaussian gaussian{entry(arrays, "mu", 1, file), entry(arrays, "sigma", 2, file), 0};
  const int64_t dims = gaussian.mu.size(0);
  if (dims == 0 || gaussian.sigma.size(0) != dims || gaussian.sigma.size(1) != dims)
    fail("{}: sigma is [{}, {}], expected [{}, {}] to go with mu [{}]", file, gaussian.sigma.size(0),
         gaussian.sigma.size(1), dims, dims, dims);
  const auto [low, high] = at::aminmax(gaussian.sigma);
  const double largest = std::max(-low.item<double>(), high.item<double>()), asymmetry = asymmetry_of(gaussian.sigma);
  if (asymmetry > 1e-6 * largest)
    fail("{}: sigma is not symmetric (entries differ from their mirror image by up to {:.3g}), so it is no covariance",
         file, asymmetry);
  if (gaussian.sigma.diagonal().min().item<double>() < 0) fail("{}: sigma has a negative variance", file);
  if (const auto n = arrays.find("n"); n != arrays.end() && n->second.numel() == 1) {
    const double images = n->second.to(at::kDouble).item<double>();
    if (!(images >= 2 && images < 1e15 && images == std::floor(images)))
      fail("{}: n is {}, expected the number of images, at least 2", file, images);
    gaussian.n = static_cast<int64_t>(images);
  }
  if (notes) *notes = notes_in(arrays);
  return gaussian;
}

void write_gaussian(const std::filesystem::path& path, const Gaussian& gaussian,
                    const std::map<std::string, std::string>& notes) {
  TensorMap arrays = {{"mu", gaussian.mu}, {"sigma", gaussian.sigma}};
  if (gaussian.n > 0) arrays["n"] = at::scalar_tensor(gaussian.n, at::kLong);
  add_notes(arrays, notes);
  write_npz(path, arrays);
}

}  // namespace uvic
