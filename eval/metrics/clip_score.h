// How well images fit their captions in the eyes of CLIP (Hessel et al., arXiv 2104.08718).
#pragma once

#include "eval/metrics/metric.h"

namespace uvic {

// max(100 cos(image, text), 0) of each pair, torchmetrics' scale; the paper's is 2.5 max(cos, 0). `images` and `texts`
// [N, E] -> [N] float64.
Tensor clip_scores(const Tensor& images, const Tensor& texts);

// The mean of scores [N], N >= 1, with its 95% interval: 1.96 standard errors, none of a single score.
MetricValue mean_clip_score(const Tensor& scores);

}  // namespace uvic
