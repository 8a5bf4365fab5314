#include "eval/feature_set.h"

namespace uvic {

Keep operator|(const Keep& a, const Keep& b) {
  return {a.features || b.features, a.logits || b.logits, a.spatial || b.spatial};
}

void FeatureCollector::add(const Activations& batch) {
  if (batch.features.size(0) == 0) return;
  stats_.add(batch.features);
  if (keep_.spatial) spatial_stats_.add(batch.spatial);
  sample_from(batch.features);
  if (!keep_.features && !keep_.logits) return;
  kept_.push_back({keep_.features ? batch.features : Tensor(), keep_.logits ? batch.logits : Tensor(), {}});
}

// Vitter (1985), algorithm R.
void FeatureCollector::sample_from(const Tensor& features) {
  if (!sample_.defined()) sample_ = at::empty({kSampleRows, features.size(1)});
  for (int64_t i = 0; i < features.size(0); ++i, ++seen_) {
    const int64_t row = seen_ < kSampleRows ? seen_ : std::uniform_int_distribution<int64_t>(0, seen_)(random_);
    if (row < kSampleRows) sample_[row].copy_(features[i]);
  }
}

FeatureSet FeatureCollector::finish() {
  FeatureSet set;
  set.moments = stats_.fit();
  if (keep_.spatial) set.spatial = spatial_stats_.fit();
  set.activations = concatenate(kept_);
  set.sample = sample_.narrow(0, 0, std::min(seen_, kSampleRows));
  return set;
}

}  // namespace uvic
