// Metrics: numbers that compare two sets of images by their features.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/registry.h"
#include "eval/feature_set.h"

namespace uvic {

// A number and, where there is one, what stands behind its "±".
struct MetricValue {
  std::string name;  // "FID", "precision"
  double value = 0;
  double spread = 0;           // 0 or more; meaningless while `spread_of` is empty
  std::string spread_of = {};  // "95%", "std of 100 subsets of 1000"
  int decimals = 4;            // worth printing
};

// Set A is the generated one and B the real one where a metric tells them apart. `seed` chooses random subsets.
struct Metric {
  Keep of_a, of_b;  // what it needs beside moments
  int64_t fewest;   // images of a set of which it needs more than moments
  std::vector<MetricValue> (*compute)(const FeatureSet& a, const FeatureSet& b, uint64_t seed);
};

std::span<const Entry<Metric>> metrics();

}  // namespace uvic
