#include "eval/metrics/clip_score.h"

#include <cmath>

#include "eval/stats.h"

namespace uvic {

Tensor clip_scores(const Tensor& images, const Tensor& texts) {
  return (100 * at::cosine_similarity(images.to(at::kDouble), texts.to(at::kDouble))).clamp_min(0);
}

MetricValue mean_clip_score(const Tensor& scores) {
  const int64_t n = scores.size(0);
  TORCH_CHECK(n >= 1, "no scores");
  MetricValue value;
  value.name = "CLIP score";
  value.value = scores.mean().item<double>();
  if (n == 1) return value;
  value.spread = k95 * scores.std().item<double>() / std::sqrt(static_cast<double>(n));
  value.spread_of = "95%";
  return value;
}

}  // namespace uvic
