// The multistep solvers: earlier network outputs give the order of each step.
#include <algorithm>

#include "diffusion/samplers/dpm_solver.h"
#include "diffusion/samplers/kinds.h"

namespace uvic {
namespace {

struct Output {
  double t;
  Tensor model;
};

// From past.back().t to t with the last `order` outputs (arXiv 2211.01095, algorithm 2 and appendix B.2).
Tensor multistep(const SemiLinear& ode, const Tensor& x, std::span<const Output> past, int64_t order, double t) {
  const Output& last = past.back();
  const double h = ode.length(last.t, t);
  if (order == 1) return ode.move(x, last.t, t, last.model * phi1(h));

  const Output& before = past[past.size() - 2];
  const double r0 = ode.length(before.t, last.t) / h;
  const Tensor slope0 = (last.model - before.model) / r0;
  if (order == 2) return ode.move(x, last.t, t, (last.model + slope0 * 0.5) * phi1(h));

  const Output& first = past[past.size() - 3];
  const double r1 = ode.length(first.t, before.t) / h;
  const Tensor slope1 = (before.model - first.model) / r1;
  const Tensor curve = (slope0 - slope1) / (r0 + r1);
  return ode.move(x, last.t, t, last.model * phi1(h) + (slope0 + curve * r0) * phi2(h) + curve * phi3(h));
}

Tensor sample_multistep(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                        int64_t order) {
  check_steps(schedule, config);
  // The published settings: even in log-SNR for continuous time (small images), in time for discrete (latents).
  const double end = end_time(schedule, 1e-3);
  const std::vector<double> grid = schedule.steps() == 0
                                       ? uniform_lambda_times(schedule, config.start, end, config.steps)
                                       : uniform_times(config.start, end, config.steps);
  return solve_multistep(denoiser, schedule, std::move(x), grid, order, Predict::kData);
}

}  // namespace

Tensor solve_multistep(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const std::vector<double>& grid,
                       int64_t order, Predict predict) {
  TORCH_CHECK(order >= 1 && order <= 3, "multistep order ", order);
  const SemiLinear ode{denoiser, schedule, predict};
  const auto steps = static_cast<int64_t>(grid.size()) - 1;
  std::vector<Output> past;
  for (int64_t i = 0; i < steps; ++i) {
    if (past.size() == 3) past.erase(past.begin());
    past.push_back({grid[i], ode.model(x, grid[i])});
    const int64_t left = steps - i;  // with few steps the last ones are long: a low order is the stable one
    x = multistep(ode, x, past, std::min({order, i + 1, steps < 10 ? left : order}), grid[i + 1]);
  }
  return x;
}

Tensor sample_dpm_solver_pp_2m(const Denoiser& denoiser, const Schedule& schedule, Tensor x,
                               const SamplerConfig& config, const RandnLike&) {
  return sample_multistep(denoiser, schedule, std::move(x), config, 2);
}

Tensor sample_dpm_solver_pp_3m(const Denoiser& denoiser, const Schedule& schedule, Tensor x,
                               const SamplerConfig& config, const RandnLike&) {
  return sample_multistep(denoiser, schedule, std::move(x), config, 3);
}

}  // namespace uvic
