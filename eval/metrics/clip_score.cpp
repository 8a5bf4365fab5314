#include "eval/metrics/clip_score.h"

#include "eval/metrics/kinds.h"

namespace uvic {

Tensor clip_scores(const Tensor& images, const Tensor& texts) {
  return (100 * at::cosine_similarity(images.to(at::kDouble), texts.to(at::kDouble))).clamp_min(0);
}

MetricValue mean_clip_score(const Tensor& scores) {
  TORCH_CHECK(scores.size(0) >= 1, "no scores");
  MetricValue value;
  value.name = "CLIP score";
  value.value = scores.mean().item<double>();
  if (scores.size(0) == 1) return value;
  value.spread = interval_of_mean(scores);
  value.spread_of = "95%";
  return value;
}

}  // namespace uvic
