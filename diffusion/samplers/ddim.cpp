// Denoising diffusion implicit models (arXiv 2010.02502).
#include "diffusion/samplers/ancestral.h"
#include "diffusion/samplers/kinds.h"

namespace uvic {

Tensor ddim_step(const Schedule& schedule, const Tensor& x, const Tensor& eps, double t, double s, double eta,
                 bool clip_x0, const RandnLike& randn_like) {
  const double alpha_t = schedule.alpha(t), sigma_t = schedule.sigma(t), sigma_s = schedule.sigma(s);
  const double beta = -std::expm1(2 * (schedule.log_alpha(t) - schedule.log_alpha(s)));
  const double noise = eta * sigma_s / sigma_t * std::sqrt(beta);  // eq. 16

  Tensor x0 = (x - eps * sigma_t) / alpha_t;
  Tensor direction = eps;
  if (clip_x0) {  // the noise must stay the one that leads from the clipped image to x
    x0 = x0.clamp(-1, 1);
    direction = (x - x0 * alpha_t) / sigma_t;
  }
  const Tensor mean = x0 * schedule.alpha(s) + direction * std::sqrt(sigma_s * sigma_s - noise * noise);  // eq. 12
  return noise == 0 ? mean : mean + randn_like(x) * noise;
}

Tensor sample_ddim(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                   const RandnLike& randn_like) {
  if (!(config.eta >= 0 && config.eta <= 1))
    fail("ddim: eta is {}: expected a number from 0 (deterministic) to 1 (as ddpm)", config.eta);
  const std::vector<double> times = strided_times(schedule, config);
  for (size_t i = 0; i + 1 < times.size(); ++i)
    x = ddim_step(schedule, x, denoiser(x, times[i]), times[i], times[i + 1], config.eta, config.clip_x0, randn_like);
  return x;
}

}  // namespace uvic
