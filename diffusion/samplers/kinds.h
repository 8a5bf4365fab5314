// The functions behind samplers(), and what they share.
#pragma once

#include "diffusion/sampler.h"

namespace uvic {

constexpr double kFirstStart = 0.01;  // below it solvers that stop at 1e-3 have next to no way to go

// Error unless kFirstStart <= start <= 1 and 1 <= steps <= the schedule's up to start (any number for continuous time).
void check_steps(const Schedule& schedule, const SamplerConfig& config);

// steps + 1 times from start down to 0, evenly spaced and, for a discrete schedule, rounded to its own. For ddpm and
// ddim.
std::vector<double> strided_times(const Schedule& schedule, const SamplerConfig& config);

Tensor sample_ddpm(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_ddim(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_euler_maruyama(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_euler_ode(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_dpm_solver(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_dpm_solver_pp(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_dpm_solver_pp_2m(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);
Tensor sample_dpm_solver_pp_3m(const Denoiser&, const Schedule&, Tensor x, const SamplerConfig&, const RandnLike&);

}  // namespace uvic
