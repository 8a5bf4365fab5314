#include "app/training/training_probe.h"

#include <chrono>

#include "core/device.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

constexpr int kProbeSteps = 3;

}  // namespace

TrainConfig probe_config(TrainConfig config) {
  config.steps = 1 + kProbeSteps;
  return config;
}

TrainingProbe probe_training(const Parameters& parameters, const StepLoss& loss, const TrainConfig& config,
                             at::Device device) {
  for (const Parameter& p : parameters) p.tensor.set_requires_grad(true);
  const TrainConfig probe = probe_config(config);
  TrainState state(parameters, probe);
  double seconds = 0;
  auto begin = std::chrono::steady_clock::now();
  train(state, loss, probe, device.type(), [&](const StepStats& stats) {
    stop_if_interrupted();
    const auto now = std::chrono::steady_clock::now();
    if (stats.step > 1) seconds += std::chrono::duration<double>(now - begin).count() / kProbeSteps;
    begin = std::chrono::steady_clock::now();
  });
  return {.parameters = count_parameters(parameters), .peak_memory = peak_memory(device), .step_seconds = seconds};
}

}  // namespace uvic
