// What metrics know of a set of images: moments, which take no memory to speak of, and as much of the rest as they
// need.
#pragma once

#include <random>
#include <vector>

#include "eval/features.h"
#include "eval/stats.h"

namespace uvic {

// What is kept for every image.
struct Keep {
  bool features = false, logits = false;
  bool spatial = false;  // moments of the spatial features
};
Keep operator|(const Keep& a, const Keep& b);

struct FeatureSet {
  Gaussian moments;
  Gaussian spatial;         // moments of the spatial features; mu is undefined if they were not asked for
  Activations activations;  // of all n images, [n, ...] float32; undefined if not kept
  // Features of at most kSampleRows images, drawn at random without replacement: enough to know a variance to 1%.
  // Undefined for statistics.
  Tensor sample;
};

constexpr int64_t kSampleRows = 8192;

// Takes the activations of a set batch by batch.
class FeatureCollector {
 public:
  explicit FeatureCollector(const Keep& keep) : keep_(keep) {}
  void add(const Activations& batch);
  int64_t count() const { return stats_.count(); }
  FeatureSet finish();  // Error below two images

 private:
  void sample_from(const Tensor& features);

  Keep keep_;
  FeatureStats stats_, spatial_stats_;
  std::vector<Activations> kept_;
  Tensor sample_;  // [kSampleRows, D], the first min(count, kSampleRows) rows are set
  int64_t seen_ = 0;
  std::mt19937_64 random_;  // of fixed seed: which images are drawn depends on their number alone
};

}  // namespace uvic
