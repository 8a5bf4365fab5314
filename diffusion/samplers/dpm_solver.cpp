// The single-step solvers: intermediate network calls inside each step give its order.
#include "diffusion/samplers/dpm_solver.h"

#include "diffusion/samplers/kinds.h"

namespace uvic {
namespace {

// arXiv 2206.00927, algorithms 1, 4 and 5 (the "DPM-Solver" form of the second and third order).
Tensor singlestep(const SemiLinear& ode, const Tensor& x, const SolverStep& step) {
  const double h = ode.length(step.s, step.t);
  const Tensor m0 = ode.model(x, step.s);
  if (step.inner.empty()) return ode.move(x, step.s, step.t, m0 * phi1(h));

  const double h1 = ode.length(step.s, step.inner[0]), r1 = h1 / h;
  const Tensor x1 = ode.move(x, step.s, step.inner[0], m0 * phi1(h1));
  const Tensor change1 = ode.model(x1, step.inner[0]) - m0;
  if (step.inner.size() == 1) return ode.move(x, step.s, step.t, (m0 + change1 / (2 * r1)) * phi1(h));

  const double h2 = ode.length(step.s, step.inner[1]), r2 = h2 / h;
  const Tensor x2 = ode.move(x, step.s, step.inner[1], m0 * phi1(h2) + change1 * (phi2(h2) * r2 / r1));
  const Tensor change2 = ode.model(x2, step.inner[1]) - m0;
  return ode.move(x, step.s, step.t, m0 * phi1(h) + change2 * (phi2(h) / r2));
}

}  // namespace

std::vector<double> uniform_times(double start, double end, int64_t n) {
  std::vector<double> times;
  for (int64_t i = 0; i <= n; ++i)
    times.push_back(std::lerp(start, end, static_cast<double>(i) / static_cast<double>(n)));
  return times;
}

std::vector<double> uniform_lambda_times(const Schedule& schedule, double start, double end, int64_t n) {
  std::vector<double> times = uniform_times(schedule.lambda(start), schedule.lambda(end), n);
  for (double& time : times) time = schedule.inverse_lambda(time);
  times.front() = start;  // exactly, not up to the rounding of the round trip
  times.back() = end;
  return times;
}

std::vector<int64_t> fast_orders(int64_t steps) {
  const int64_t rest = steps % 3;
  std::vector<int64_t> orders(steps / 3 - (rest == 0 ? 1 : 0), 3);
  if (rest == 0) orders.insert(orders.end(), {2, 1});
  if (rest != 0) orders.push_back(rest);
  return orders;
}

std::vector<SolverStep> plan_by_lambda(const Schedule& schedule, const std::vector<double>& grid,
                                       const std::vector<int64_t>& orders) {
  std::vector<SolverStep> plan;
  for (size_t i = 0; i < orders.size(); ++i) {
    std::vector<double> times = uniform_lambda_times(schedule, grid[i], grid[i + 1], orders[i]);
    plan.push_back({grid[i], {times.begin() + 1, times.end() - 1}, grid[i + 1]});
  }
  return plan;
}

std::vector<SolverStep> plan_by_grid(const std::vector<double>& grid, const std::vector<int64_t>& orders) {
  std::vector<SolverStep> plan;
  auto s = grid.begin();
  for (const int64_t order : orders) {
    plan.push_back({*s, {s + 1, s + order}, *(s + order)});
    s += order;
  }
  return plan;
}

Tensor solve_singlestep(const Denoiser& denoiser, const Schedule& schedule, Tensor x,
                        const std::vector<SolverStep>& plan, Predict predict) {
  const SemiLinear ode{denoiser, schedule, predict};
  for (const SolverStep& step : plan) x = singlestep(ode, x, step);
  return x;
}

Tensor sample_dpm_solver(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                         const RandnLike&) {
  check_steps(schedule, config);
  const std::vector<int64_t> orders = fast_orders(config.steps);
  const std::vector<double> grid =
      uniform_lambda_times(schedule, config.start, end_time(schedule, 1e-4), static_cast<int64_t>(orders.size()));
  return solve_singlestep(denoiser, schedule, x, plan_by_lambda(schedule, grid, orders), Predict::kNoise);
}

Tensor sample_dpm_solver_pp(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                            const RandnLike&) {
  check_steps(schedule, config);
  const std::vector<double> grid = uniform_times(config.start, end_time(schedule, 1e-3), config.steps);
  return solve_singlestep(denoiser, schedule, x, plan_by_grid(grid, fast_orders(config.steps)), Predict::kData);
}

}  // namespace uvic
