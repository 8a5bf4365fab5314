#include <cmath>

#include "core/error.h"
#include "core/interrupt.h"
#include "eval/metrics/kinds.h"
#include "eval/metrics/numpy_random.h"
#include "eval/stats.h"

namespace uvic {
namespace {

constexpr int64_t kSubsets = 100, kSubsetSize = 1000;  // torch-fidelity's

Tensor kernel(const Tensor& x, const Tensor& y) {
  return at::mm(x, y.t()).div_(static_cast<double>(x.size(1))).add_(1).pow_(3);
}

}  // namespace

MeanStd mean_std(const std::vector<double>& values) {
  const Tensor all = at::tensor(values, at::kDouble);
  return {all.mean().item<double>(), all.std(/*unbiased=*/false).item<double>()};
}

double interval_of_mean(const Tensor& values) {
  return k95 * values.std().item<double>() / std::sqrt(static_cast<double>(values.numel()));
}

double kernel_distance(const Tensor& x, const Tensor& y) {
  TORCH_CHECK(x.sizes() == y.sizes() && x.size(0) >= 2, "kernel_distance: ", x.sizes(), " and ", y.sizes());
  const at::NoGradGuard no_grad;
  const Tensor a = x.to(at::kDouble), b = y.to(at::kDouble);
  const double m = static_cast<double>(a.size(0));
  const auto within = [&](const Tensor& z) {
    const Tensor k = kernel(z, z);
    return (k.sum() - k.trace()).item<double>() / (m * (m - 1));
  };
  return within(a) + within(b) - 2 * kernel(a, b).mean().item<double>();
}

Kid kernel_inception_distance(const Tensor& x, const Tensor& y, int64_t subsets, int64_t size, uint64_t seed) {
  size = std::min({size, x.size(0), y.size(0)});
  if (size == x.size(0) && size == y.size(0)) subsets = 1;
  NumpyRandom random(static_cast<uint32_t>(seed));
  const auto subset = [&](const Tensor& z) {
    return z.index_select(0, random.permutation(z.size(0)).narrow(0, 0, size));
  };
  std::vector<double> values;
  for (int64_t i = 0; i < subsets; ++i) {
    stop_if_interrupted();
    const Tensor of_x = subset(x);  // before that of y, as numpy draws them
    values.push_back(kernel_distance(of_x, subset(y)));
  }
  return {mean_std(values), subsets, size};
}

std::vector<MetricValue> kid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed) {
  const Kid kid =
      kernel_inception_distance(a.activations.features, b.activations.features, kSubsets, kSubsetSize, seed);
  return {{"KID", kid.value.mean, kid.value.std,
           kid.subsets == 1 ? "" : fmt::format("std of {} subsets of {}", kid.subsets, kid.size), 6}};
}

}  // namespace uvic
