// sFID (Nash et al., arXiv 2103.03841).
#include "eval/frechet.h"
#include "eval/metrics/kinds.h"

namespace uvic {

std::vector<MetricValue> spatial_fid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t) {
  return {{"sFID", frechet_distance(a.spatial, b.spatial), 0, ""}};
}

}  // namespace uvic
