// Single steps from x_t to x_s, s < t, of the samplers that walk the training process backwards.
#pragma once

#include "diffusion/sampler.h"

namespace uvic {

// Variance of the reverse step (arXiv 2006.11239, section 3.2): of q(x_s | x_t, x0), or of q(x_t | x_s).
enum class Variance { kSmall, kLarge };

// eps: the predicted noise in x_t. Neither draws noise for s = 0 (sigma(s) = 0).
Tensor ddpm_step(const Schedule& schedule, const Tensor& x, const Tensor& eps, double t, double s, Variance variance,
                 bool clip_x0, const RandnLike& randn_like);
Tensor ddim_step(const Schedule& schedule, const Tensor& x, const Tensor& eps, double t, double s, double eta,
                 bool clip_x0, const RandnLike& randn_like);

}  // namespace uvic
