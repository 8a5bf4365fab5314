#include "diffusion/sampler.h"

#include "diffusion/samplers/kinds.h"

namespace uvic {
namespace {

constexpr Entry<Sampler> kSamplers[] = {
    {"dpm-solver", sample_dpm_solver, "single-step, order 3, even in log-SNR: few steps (U-ViT on CIFAR-10)"},
    {"dpm-solver++", sample_dpm_solver_pp,
     "single-step, order 3, predicts the image: with guidance (U-ViT on MS-COCO)"},
    {"dpm-solver++2m", sample_dpm_solver_pp_2m, "multistep, order 2, predicts the image"},
    {"dpm-solver++3m", sample_dpm_solver_pp_3m, "multistep, order 3, predicts the image"},
    {"ddim", sample_ddim, "first order; eta 0 is deterministic, 1 is ddpm"},
    {"ddpm", sample_ddpm, "ancestral sampling: many steps"},
    {"euler-maruyama", sample_euler_maruyama,
     "the reverse SDE: many steps, continuous time (U-ViT on CIFAR-10: 1,000)"},
    {"euler-ode", sample_euler_ode, "the probability-flow ODE by Euler steps: many steps, continuous time"},
};

}  // namespace

std::span<const Entry<Sampler>> samplers() {
  return kSamplers;
}

void check_steps(const Schedule& schedule, const SamplerConfig& config) {
  if (config.steps < 1) fail("cannot sample in {} steps: expected at least 1", config.steps);
  if (!(config.start >= kFirstStart && config.start <= 1))
    fail("cannot sample from time {}: expected {} to 1", config.start, kFirstStart);
  const auto there = static_cast<int64_t>(std::floor(config.start * static_cast<double>(schedule.steps()) + 1e-9));
  if (schedule.steps() > 0 && config.steps > there)
    fail("cannot sample in {} steps: the schedule has only {}{}", config.steps, there,
         config.start < 1 ? fmt::format(" up to time {}", config.start) : "");
}

std::vector<double> strided_times(const Schedule& schedule, const SamplerConfig& config) {
  check_steps(schedule, config);
  std::vector<double> times;
  for (int64_t i = config.steps; i >= 0; --i) {
    const double fraction = config.start * static_cast<double>(i) / static_cast<double>(config.steps);
    const auto n = static_cast<double>(schedule.steps());
    times.push_back(n == 0 ? fraction : std::round(fraction * n) / n);
  }
  return times;
}

}  // namespace uvic
