// The metrics behind the table in metrics.cpp, as pure functions of features, logits and moments.
#pragma once

#include "eval/metrics/metric.h"

namespace uvic {

std::vector<MetricValue> fid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
std::vector<MetricValue> fid_infinity_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
std::vector<MetricValue> spatial_fid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
std::vector<MetricValue> kid_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
std::vector<MetricValue> inception_score_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
std::vector<MetricValue> prdc_metric(const FeatureSet& a, const FeatureSet& b, uint64_t seed);

constexpr int64_t kScoreParts = 10;          // of the images, for the deviation of the Inception Score
constexpr int64_t kInfinitySizes = 15;       // of subsets, for the FID's extrapolation
constexpr int64_t kReach = 3, kDensity = 5;  // neighbours: what the authors' programs, torch-fidelity and prdc take

struct MeanStd {
  double mean = 0, std = 0;  // std divided by n, as numpy's
};
MeanStd mean_std(const std::vector<double>& values);

// Half of the 95% interval of the mean of `values` [N] float64, N >= 2: 1.96 standard errors.
double interval_of_mean(const Tensor& values);

// The FID's extrapolation to infinitely many images (Chong and Forsyth, arXiv 1911.07023): the intercept of the least
// squares line of the distance over 1/n, at 15 sizes n spread evenly up to all images of `features` [N, D], each a
// random subset. The smallest is N / 10, as 5,000 of the paper's 50,000, but D if that is more (and N / 2 if that is
// less), since the line bends where covariances have no full rank.
double fid_infinity(const Tensor& features, const Gaussian& b, uint64_t seed);

// The unbiased squared maximum mean discrepancy of x and y, both [m, D], m >= 2, under the kernel (x . y / D + 1)^3
// (Binkowski et al., arXiv 1801.01401): pairs of an image with itself are left out within a set, not between the two.
double kernel_distance(const Tensor& x, const Tensor& y);

// kernel_distance over random subsets of both: torch-fidelity's, for its seed 2020. One subset if it would be all of
// both.
struct Kid {
  MeanStd value;
  int64_t subsets, size;
};
Kid kernel_inception_distance(const Tensor& x, const Tensor& y, int64_t subsets, int64_t size, uint64_t seed);

// exp of the mean over images of KL(p(class | image) || p(class)), in each of `splits` consecutive parts of `logits`
// [N, classes] (Salimans et al., arXiv 1606.03498). Error if there are fewer images than splits.
MeanStd inception_score(const Tensor& logits, int64_t splits);

// The share of generated images within reach of real ones and the reverse (Kynkaanniemi et al., arXiv 1904.06991: an
// image reaches as far as its k-th neighbour in its own set, including the boundary), and the density of real images
// around the generated and the share of real images with a generated one within reach (Naeem et al., arXiv 2002.09797:
// reach of real images only, without the boundary).
struct Prdc {
  // `interval`: half of the 95% interval, of as many other images of the set whose mean it is, the other set and the
  // reaches given.
  struct Mean {
    double value = 0, interval = 0;
  };
  Mean precision, recall, density, coverage;
};
// `generated` [N, D] and `real` [M, D] float, each of more than k images. The first two numbers take k_reach
// neighbours, the other two k_density. Distances that decide are computed in float64 from the differences.
Prdc prdc(const Tensor& generated, const Tensor& real, int64_t k_reach, int64_t k_density);

}  // namespace uvic
