// Noise schedules: x_t = alpha(t) x0 + sigma(t) eps with alpha^2 + sigma^2 = 1 and continuous time t in [0, 1].
//
// All scalars are double: 1 - exp(-x) near t = 0 costs 4e-4 in float32 (expm1 is used besides).
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

struct ScheduleConfig {
  std::string kind = "vp";  // a row of schedule_kinds()
  double beta_start = 0;    // 0: the kind's own (vp 0.1, linear 1e-4, scaled-linear 0.00085)
  double beta_end = 0;      // 0: the kind's own (vp 20, linear 0.02, scaled-linear 0.012); cosine takes neither
};

class Schedule {
 public:
  virtual ~Schedule() = default;

  // Number of discrete training steps; 0 for continuous time. A discrete schedule knows x_n at t = n / steps, n =
  // 0..steps (n = 0 is the clean image), and interpolates log_alpha linearly between.
  virtual int64_t steps() const = 0;
  virtual double log_alpha(double t) const = 0;            // log of the mean coefficient
  virtual double inverse_lambda(double lambda) const = 0;  // t with lambda(t) = lambda
  virtual double beta(double t) const = 0;  // of dx = -beta/2 x dt + sqrt(beta) dw; discrete: N beta_n, n = ceil(N t)

  double alpha(double t) const { return std::exp(log_alpha(t)); }
  double alpha_bar(double t) const { return std::exp(2 * log_alpha(t)); }
  double sigma(double t) const { return std::sqrt(-std::expm1(2 * log_alpha(t))); }
  double lambda(double t) const;  // log(alpha / sigma): half the log signal-to-noise ratio; infinite at t = 0

  // What the network is given for t: 999 t for continuous time (U-ViT, CIFAR-10), n = 1000 t for discrete.
  double network_time(double t) const { return t * (steps() == 0 ? 999.0 : static_cast<double>(steps())); }

  // Training times [n] float64: uniform in [0, 1), or n / steps with n uniform in 1..steps.
  Tensor sample_times(int64_t n, at::Generator& generator) const;
};

using MakeSchedule = std::unique_ptr<Schedule> (*)(const ScheduleConfig&);
std::span<const Entry<MakeSchedule>> schedule_kinds();  // vp, linear, scaled-linear, cosine
// Error: an unknown kind, or betas that are not 0 < start <= end (< 1 for discrete time).
std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config);

// The discrete schedule of these betas, each in (0, 1): alpha_bar_n = prod_{i <= n} (1 - beta_i).
std::unique_ptr<Schedule> make_discrete_schedule(const std::vector<double>& betas);
std::vector<double> linear_betas(int64_t steps, double start, double end);  // arXiv 2006.11239, section 4
std::vector<double> scaled_linear_betas(int64_t steps, double start,
                                        double end);  // squares of a line: Stable Diffusion
std::vector<double> cosine_betas(int64_t steps);      // arXiv 2102.09672, clipped at 0.999
double cosine_alpha_bar(double t);  // arXiv 2102.09672 eq. 17, s = 0.008: what cosine_betas discretises

}  // namespace uvic
