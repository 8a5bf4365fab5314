#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "eval/frechet.h"
#include "eval/metrics/kinds.h"
#include "eval/metrics/numpy_random.h"
#include "eval/singular_values.h"

namespace uvic {
double fid_infinity(const Tensor& features, const Gaussian& b, uint64_t seed) {
  const int64_t count = features.size(0), dims = features.size(1);
  const int64_t fewest = std::max({count / 10, std::min(dims, count / 2), int64_t{2}});
  if (count < fewest + kInfinitySizes)
    fail("FID-inf extrapolates from {} sizes, which {} images do not give", kInfinitySizes, count);
  if (fewest < dims)
    warn(fmt::format(
        "fid-inf of {} images is a guess: of less than {} the smallest subsets have fewer images than there are "
        "features ({}), where the distance is no line in 1/n",
        count, 2 * dims, dims));
  NumpyRandom random(static_cast<uint32_t>(seed));
  const Tensor factor_b = covariance_factor(b);
  Progress progress("FID-inf", kInfinitySizes, "size");
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (int64_t i = 0; i < kInfinitySizes; ++i) {
    stop_if_interrupted();
    const int64_t size = fewest + (count - fewest) * i / (kInfinitySizes - 1);
    const Tensor rows = random.permutation(count).narrow(0, 0, size);
    FeatureStats stats;
    for (const Tensor& chunk : rows.split(4096)) stats.add(features.index_select(0, chunk));
    const Gaussian a = stats.fit();
    const double x = 1 / static_cast<double>(size),
                 y = frechet_distance(a, b, singular_values(at::mm(covariance_factor(a).t(), factor_b)));
    progress.update(i + 1);
    sum_x += x, sum_y += y, sum_xx += x * x, sum_xy += x * y;
  }
  const double slope = (kInfinitySizes * sum_xy - sum_x * sum_y) / (kInfinitySizes * sum_xx - sum_x * sum_x);
  return (sum_y - slope * sum_x) / kInfinitySizes;
}

std::vector<MetricValue> fid_infinity_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed) {
  return {{"FID-inf", fid_infinity(a.activations.features, b.moments, seed), 0, ""}};
}

}  // namespace uvic
