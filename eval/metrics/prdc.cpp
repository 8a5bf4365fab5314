#include <cmath>

#include "core/error.h"
#include "eval/metrics/distances.h"
#include "eval/metrics/kinds.h"
#include "eval/stats.h"

namespace uvic {
namespace {

// Computes those distances again, exactly, that are too close to a radius to be told from it. `radii`: [n, 1] or [m].
void settle(const DistanceBlock& block, const Tensor& radii, const Tensor& x, const Tensor& y) {
  const Tensor near = ((block.d - radii).abs() <= block.error).nonzero();
  if (near.size(0) == 0) return;
  const Tensor row = near.select(1, 0), column = near.select(1, 1);
  block.d.index_put_({row, column}, exact_distances(x, row + block.i, y, column + block.j));
}

// Agresti and Coull (1998): two more images with and two without keep the interval of a share of 0 or 1 from vanishing.
Prdc::Mean share_with_interval(const Tensor& flags) {
  const auto n = static_cast<double>(flags.numel());
  const auto count = static_cast<double>(flags.sum().item<int64_t>());
  const double more = k95 * k95, p = (count + more / 2) / (n + more);
  return {count / n, k95 * std::sqrt(p * (1 - p) / (n + more))};
}

Prdc::Mean mean_with_interval(const Tensor& values) {
  return {values.mean().item<double>(), interval_of_mean(values)};
}

}  // namespace

Prdc prdc(const Tensor& generated, const Tensor& real, int64_t k_reach, int64_t k_density) {
  TORCH_CHECK(generated.dim() == 2 && real.dim() == 2 && generated.size(1) == real.size(1), "prdc: ", generated.sizes(),
              " and ", real.sizes());
  const at::NoGradGuard no_grad;
  const int64_t n = generated.size(0), m = real.size(0);
  const Tensor of_real = neighbour_distances(real, {k_reach, k_density});
  const Tensor of_generated = neighbour_distances(generated, {k_reach})[0];
  const Tensor precise = at::zeros({n}, at::kBool), recalled = at::zeros({m}, at::kBool);
  const Tensor covered = at::zeros({m}, at::kBool);
  const Tensor dense = at::zeros({n}, at::kLong);
  for_each_distance_block(generated, real, [&](const DistanceBlock& block) {
    const auto rows = [&](const Tensor& t) { return t.narrow(0, block.i, block.d.size(0)); };
    const auto columns = [&](const Tensor& t) { return t.narrow(0, block.j, block.d.size(1)); };
    const Tensor reach = columns(of_real[0]), density = columns(of_real[1]);
    const Tensor own_reach = rows(of_generated).unsqueeze(1);
    for (const Tensor& radii : {reach, density, own_reach}) settle(block, radii, generated, real);
    rows(precise).logical_or_((block.d <= reach).any(1));
    columns(recalled).logical_or_((block.d <= own_reach).any(0));
    const Tensor inside = block.d < density;
    columns(covered).logical_or_(inside.any(0));
    rows(dense).add_(inside.sum(1));
  });
  return {share_with_interval(precise), share_with_interval(recalled),
          mean_with_interval(dense.to(at::kDouble) / static_cast<double>(k_density)), share_with_interval(covered)};
}

std::vector<MetricValue> prdc_metric(const FeatureSet& a, const FeatureSet& b, uint64_t) {
  const Prdc values = prdc(a.activations.features, b.activations.features, kReach, kDensity);
  const auto named = [](const char* name, const Prdc::Mean& mean) {
    return MetricValue{name, mean.value, mean.interval, "95%"};
  };
  return {named("precision", values.precision), named("recall", values.recall), named("density", values.density),
          named("coverage", values.coverage)};
}

}  // namespace uvic
