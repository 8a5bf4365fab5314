// Ancestral sampling (arXiv 2006.11239, algorithm 2), strided as in arXiv 2102.09672, section 4.
#include "diffusion/samplers/ancestral.h"
#include "diffusion/samplers/kinds.h"

namespace uvic {

Tensor ddpm_step(const Schedule& schedule, const Tensor& x, const Tensor& eps, double t, double s, Variance variance,
                 bool clip_x0, const RandnLike& randn_like) {
  const double var_t = schedule.sigma(t) * schedule.sigma(t), var_s = schedule.sigma(s) * schedule.sigma(s);
  const double log_ratio = schedule.log_alpha(t) - schedule.log_alpha(s);
  const double beta = -std::expm1(2 * log_ratio);  // variance of q(x_t | x_s)

  Tensor x0 = (x - eps * schedule.sigma(t)) / schedule.alpha(t);
  if (clip_x0) x0 = x0.clamp(-1, 1);
  const Tensor mean = x0 * (schedule.alpha(s) * beta / var_t) + x * (std::exp(log_ratio) * var_s / var_t);  // eq. 7
  if (var_s == 0) return mean;
  const double step_var = variance == Variance::kSmall ? beta * var_s / var_t : beta;
  return mean + randn_like(x) * std::sqrt(step_var);
}

Tensor sample_ddpm(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                   const RandnLike& randn_like) {
  const std::vector<double> times = strided_times(schedule, config);
  for (size_t i = 0; i + 1 < times.size(); ++i)
    x = ddpm_step(schedule, x, denoiser(x, times[i]), times[i], times[i + 1], Variance::kSmall, config.clip_x0,
                  randn_like);
  return x;
}

}  // namespace uvic
