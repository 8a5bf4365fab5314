// Euler steps of the reverse SDE (arXiv 2011.13456, eq. 6) and of its probability-flow ODE (eq. 13), on U-ViT's grid.
#include "diffusion/samplers/kinds.h"

namespace uvic {
namespace {

// 0, then even steps from 1e-3 to start: at 1e-3 the remaining noise is small enough for one last step to 0. A single
// step has to begin where the noise is.
std::vector<double> euler_times(int64_t steps, double start) {
  constexpr double kFirst = 1e-3;
  std::vector<double> times{0};
  for (int64_t i = 0; i < steps; ++i)
    times.push_back(steps == 1 ? start
                               : std::lerp(kFirst, start, static_cast<double>(i) / static_cast<double>(steps - 1)));
  return times;
}

// score_share: 1 for the SDE, 1/2 for the ODE with the same marginals.
Tensor euler(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
             double score_share, const RandnLike& randn_like) {
  check_steps(schedule, config);
  const std::vector<double> times = euler_times(config.steps, config.start);
  for (size_t i = times.size() - 1; i > 0; --i) {
    const double t = times[i], s = times[i - 1];
    const double beta = schedule.beta(t);
    const Tensor score = denoiser(x, t) / -schedule.sigma(t);
    x = x + (x * 0.5 + score * score_share) * (beta * (t - s));
    if (score_share == 1 && s > 0) x = x + randn_like(x) * std::sqrt(beta * (t - s));
  }
  return x;
}

}  // namespace

Tensor sample_euler_maruyama(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                             const RandnLike& randn_like) {
  return euler(denoiser, schedule, std::move(x), config, 1, randn_like);
}

Tensor sample_euler_ode(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                        const RandnLike& randn_like) {
  return euler(denoiser, schedule, std::move(x), config, 0.5, randn_like);
}

}  // namespace uvic
