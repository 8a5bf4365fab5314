// DPM-Solver (arXiv 2206.00927) and DPM-Solver++ (arXiv 2211.01095): exponential integrators of the probability-flow
// ODE in half log-SNR time lambda. Grids and orders are the caller's, so one function each serves all published
// variants.
#pragma once

#include <vector>

#include "diffusion/sampler.h"

namespace uvic {

enum class Predict { kNoise, kData };  // what the integrator holds: eps (DPM-Solver), x0 (DPM-Solver++)

// A single-step update from time s to t: the network is called at s and at the inner times between, so the order is
// 1 + inner.size(), at most 3.
struct SolverStep {
  double s;
  std::vector<double> inner;
  double t;
};

// Where the solvers stop: lambda is infinite at 0. The first training step of discrete time, else `continuous`.
inline double end_time(const Schedule& schedule, double continuous) {
  return schedule.steps() == 0 ? continuous : 1.0 / static_cast<double>(schedule.steps());
}

// n + 1 times from start down to end, evenly spaced in t or in lambda.
std::vector<double> uniform_times(double start, double end, int64_t n);
std::vector<double> uniform_lambda_times(const Schedule& schedule, double start, double end, int64_t n);

// Orders of at most 3 that sum to `steps`, the last ones lower ("DPM-Solver-fast", arXiv 2206.00927, section 3.4).
std::vector<int64_t> fast_orders(int64_t steps);

// Steps of these orders; inner times at 1/2, or 1/3 and 2/3, of each step in lambda. grid: orders.size() + 1 times.
std::vector<SolverStep> plan_by_lambda(const Schedule& schedule, const std::vector<double>& grid,
                                       const std::vector<int64_t>& orders);
// A step of order k spans k intervals of the grid; the times in between are its inner times. grid: sum(orders) + 1
// times.
std::vector<SolverStep> plan_by_grid(const std::vector<double>& grid, const std::vector<int64_t>& orders);

Tensor solve_singlestep(const Denoiser& denoiser, const Schedule& schedule, Tensor x,
                        const std::vector<SolverStep>& plan, Predict predict);
// One network call an interval of the grid; earlier outputs give the order (1..3), which is lower at the start, and at
// the end of a grid of fewer than 10 intervals.
Tensor solve_multistep(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const std::vector<double>& grid,
                       int64_t order, Predict predict);

// Both parametrisations of the ODE read x_t = keep(t) / keep(s) x_s - put(t) times an exponentially weighted integral
// of the model over a signed length h: noise keeps alpha and h = lambda_t - lambda_s, data keeps sigma and h has the
// other sign. So each update is written once.
struct SemiLinear {
  const Denoiser& denoiser;
  const Schedule& schedule;
  Predict predict;

  double keep(double t) const { return predict == Predict::kNoise ? schedule.alpha(t) : schedule.sigma(t); }
  double put(double t) const { return predict == Predict::kNoise ? schedule.sigma(t) : schedule.alpha(t); }
  double length(double s, double t) const {
    return (predict == Predict::kNoise ? 1 : -1) * (schedule.lambda(t) - schedule.lambda(s));
  }
  Tensor model(const Tensor& x, double t) const {
    const Tensor eps = denoiser(x, t);
    return predict == Predict::kNoise ? eps : (x - eps * schedule.sigma(t)) / schedule.alpha(t);
  }
  // x_t from x_s and the weighted mean of the model between them.
  Tensor move(const Tensor& x, double s, double t, const Tensor& mean) const {
    return x * (keep(t) / keep(s)) - mean * (put(t) * length(s, t));
  }
};

// phi_1(h) = (e^h - 1) / h, phi_2(h) = (phi_1(h) - 1) / h, phi_3(h) = (phi_2(h) - 1/2) / h; h != 0.
inline double phi1(double h) {
  return std::expm1(h) / h;
}
inline double phi2(double h) {
  return (phi1(h) - 1) / h;
}
inline double phi3(double h) {
  return (phi2(h) - 0.5) / h;
}

}  // namespace uvic
