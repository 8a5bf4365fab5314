#include "core/error.h"
#include "eval/frechet.h"
#include "eval/frechet_interval.h"
#include "eval/metrics/kinds.h"

namespace uvic {

std::vector<MetricValue> fid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t) {
  if (!a.sample.defined() && !b.sample.defined()) return {{"FID", frechet_distance(a.moments, b.moments), 0, ""}};
  if (a.moments.mu.size(0) != b.moments.mu.size(0))
    fail("FID: one side has {} features, the other {}", a.moments.mu.size(0), b.moments.mu.size(0));
  const Tensor factor_a = covariance_factor(a.moments), factor_b = covariance_factor(b.moments);
  const CrossTerm cross = cross_term(factor_a, factor_b);
  return {{"FID", frechet_distance(a.moments, b.moments, cross.s), frechet_interval(a, factor_a, b, factor_b, cross),
           "95%"}};
}

}  // namespace uvic
