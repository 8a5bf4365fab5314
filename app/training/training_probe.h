// A few training steps to see what a whole run would take.
#pragma once

#include "train/train.h"

namespace uvic {

// The config of the probe: one step to warm up and three that count.
TrainConfig probe_config(TrainConfig config);

struct TrainingProbe {
  int64_t parameters = 0;   // that are trained
  int64_t peak_memory = 0;  // bytes
  double step_seconds = 0;
};
// Trains the parameters by probe_config(config); Interrupted after Ctrl-C.
TrainingProbe probe_training(const Parameters& parameters, const StepLoss& loss, const TrainConfig& config,
                             at::Device device);

}  // namespace uvic
