#include "train/ema.h"

namespace uvic {
namespace {

std::vector<Tensor> values(const Parameters& parameters) {
  std::vector<Tensor> list;
  for (const Parameter& p : parameters) list.push_back(p.tensor);
  return list;
}

}  // namespace

double ema_decay(const EmaConfig& config, int64_t step) {
  if (!config.warmup) return config.rate;
  const auto k = static_cast<double>(step);
  return std::min(config.rate, (1 + k) / (10 + k));
}

Ema::Ema(const Parameters& parameters, const EmaConfig& config) : config_(config) {
  for (const auto& [name, tensor, role] : parameters) average_.push_back({name, tensor.detach().clone(), role});
}

void Ema::update(const Parameters& parameters, int64_t step) {
  at::NoGradGuard no_grad;
  at::_foreach_lerp_(values(average_), values(parameters), 1 - ema_decay(config_, step));
}

}  // namespace uvic
