#include "train/ema.h"

namespace uvic {
namespace {

std::vector<Tensor> values(const NamedTensors& named) {
  std::vector<Tensor> list;
  for (const auto& entry : named) list.push_back(entry.second);
  return list;
}

}  // namespace

double ema_decay(const EmaConfig& config, int64_t step) {
  if (!config.warmup) return config.rate;
  const auto k = static_cast<double>(step);
  return std::min(config.rate, (1 + k) / (10 + k));
}

Ema::Ema(const NamedTensors& parameters, const EmaConfig& config) : config_(config) {
  for (const auto& [name, p] : parameters) average_.emplace_back(name, p.detach().clone());
}

void Ema::update(const NamedTensors& parameters, int64_t step) {
  at::NoGradGuard no_grad;
  at::_foreach_lerp_(values(average_), values(parameters), 1 - ema_decay(config_, step));
}

}  // namespace uvic
