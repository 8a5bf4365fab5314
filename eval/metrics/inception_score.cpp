#include "core/error.h"
#include "eval/metrics/kinds.h"
#include "eval/metrics/numpy_random.h"

namespace uvic {
MeanStd inception_score(const Tensor& logits, int64_t splits) {
  const int64_t count = logits.size(0);
  if (count < splits)
    fail("the Inception Score of {} parts needs at least as many images, there are {}", splits, count);
  const at::NoGradGuard no_grad;
  std::vector<double> scores;
  for (int64_t i = 0; i < splits; ++i) {
    const int64_t begin = i * count / splits, end = (i + 1) * count / splits;
    const Tensor log_p = at::log_softmax(logits.narrow(0, begin, end - begin).to(at::kDouble), 1);
    const Tensor p = log_p.exp(), log_mean = p.mean(0, /*keepdim=*/true).log();
    // A class that no image has anything of has p = 0 and log_mean = -inf, which counts as 0.
    const Tensor divergence = at::where(p > 0, p * (log_p - log_mean), at::zeros({}, at::kDouble)).sum(1);
    scores.push_back(divergence.mean().exp().item<double>());
  }
  return mean_std(scores);
}

std::vector<MetricValue> inception_score_metric(const FeatureSet& a, const FeatureSet&, uint64_t seed) {
  const Tensor& logits = a.activations.logits;
  const Tensor order = NumpyRandom(static_cast<uint32_t>(seed)).permutation(logits.size(0));
  const MeanStd score = inception_score(logits.index_select(0, order), kScoreParts);
  return {{"IS", score.mean, score.std, fmt::format("std of {} parts", kScoreParts)}};
}

}  // namespace uvic
