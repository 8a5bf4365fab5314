// Exponential moving average of the parameters.
#pragma once

#include "core/parameters.h"

namespace uvic {

struct EmaConfig {
  double rate = 0.9999;
  bool warmup = false;  // start faster: rate min(rate, (1 + k) / (10 + k)) after step k, so that short runs profit
};

// The share of the old average that step k (1, 2, ...) keeps: a pure function of the step.
double ema_decay(const EmaConfig& config, int64_t step);

class Ema {
 public:
  Ema(const Parameters& parameters, const EmaConfig& config);  // starts as a copy

  void update(const Parameters& parameters, int64_t step);  // average <- d average + (1 - d) parameters
  const Parameters& parameters() const { return average_; }

 private:
  Parameters average_;
  EmaConfig config_;
};

}  // namespace uvic
