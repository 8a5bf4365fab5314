#include "eval/frechet.h"
#include "eval/frechet_interval.h"
#include "eval/metrics/kinds.h"

namespace uvic {

std::vector<MetricValue> fid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t) {
  if (a.moments.mu.size(0) != b.moments.mu.size(0)) frechet_distance(a.moments, b.moments);  // its Error
  const Tensor factor_a = covariance_factor(a.moments), factor_b = covariance_factor(b.moments);
  MetricValue fid{"FID", frechet_distance(a.moments, factor_a, b.moments, factor_b), 0, ""};
  if (a.sample.defined() || b.sample.defined()) {
    fid.spread = frechet_interval(a, factor_a, b, factor_b);
    fid.spread_of = "95%";
  }
  return {fid};
}

}  // namespace uvic
