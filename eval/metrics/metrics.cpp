#include "eval/metrics/kinds.h"

namespace uvic {
namespace {

constexpr Keep kFeatures{.features = true}, kLogits{.logits = true}, kSpatial{.spatial = true};

constexpr Entry<Metric> kMetrics[] = {
    {"fid",
     {{}, {}, 2, fid_metric},
     "Frechet distance of Gaussians, with the 95% interval of as many other images (not of the bias of few)"},
    {"fid-inf",
     {kFeatures, {}, 2 * kInfinitySizes, fid_infinity_metric},
     "the FID that infinitely many images of A would have"},
    {"sfid", {kSpatial, kSpatial, 2, spatial_fid_metric}, "FID of features that know places; inception-fid only"},
    {"kid", {kFeatures, kFeatures, 2, kid_metric}, "kernel distance, unbiased: mean and deviation over subsets"},
    {"is",
     {kLogits, {}, kScoreParts, inception_score_metric},
     "Inception Score of A: mean and deviation over 10 parts"},
    {"prdc",
     {kFeatures, kFeatures, kDensity + 1, prdc_metric},
     "precision, recall, density, coverage of A against the real B"},
};

}  // namespace

std::span<const Entry<Metric>> metrics() {
  return kMetrics;
}

}  // namespace uvic
