// Samplers that leave a part of an image as it is.
#pragma once

#include "diffusion/objective.h"

namespace uvic {

// Predicts, where `known` [1, 1, H, W] bool holds, the noise that leads to x0 [1, C, H, W], so that any sampler that
// starts from alpha x0 + sigma eps has there, at every step, the original with the noise of that time: the
// replacement of arXiv 2201.09865 (RePaint, eq. 8a) without a second state. `schedule` must outlive the result.
inline Denoiser keep_known(Denoiser denoiser, const Schedule& schedule, Tensor x0, Tensor known) {
  return [denoiser = std::move(denoiser), &schedule, x0 = std::move(x0), known = std::move(known)](const Tensor& x,
                                                                                                   double t) {
    return at::where(known, (x - x0 * schedule.alpha(t)) / schedule.sigma(t), denoiser(x, t));
  };
}

}  // namespace uvic
