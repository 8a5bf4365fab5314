// Streaming mean and covariance of features in float64: no matrix of all features is ever kept.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/tensor.h"

namespace uvic {

constexpr double k95 = 1.959963984540054;  // standard errors on either side that hold 95% of a normal distribution

struct Gaussian {
  Tensor mu;      // [D] float64
  Tensor sigma;   // [D, D] float64, as numpy.cov (divided by n - 1)
  int64_t n = 0;  // samples behind it; 0: unknown (statistics from a file)
};

class FeatureStats {
 public:
  void add(const Tensor& features);       // [B, D] float
  void merge(const FeatureStats& other);  // as if the other's features had been added here
  int64_t count() const { return n_; }
  Gaussian fit() const;  // Error below two samples

 private:
  int64_t n_ = 0;
  Tensor mean_, scatter_;  // [D], [D, D] float64: sums of deviations, updated batch-wise (Chan et al.)
};

// npz statistics with mu and sigma, as pytorch-fid writes and reads them. Extra entries (n, feature net, weights hash)
// are ours and do not disturb those readers; `notes` returns them where present.
Gaussian read_gaussian(const std::filesystem::path& path, std::map<std::string, std::string>* notes = nullptr);
void write_gaussian(const std::filesystem::path& path, const Gaussian& gaussian,
                    const std::map<std::string, std::string>& notes = {});

}  // namespace uvic
