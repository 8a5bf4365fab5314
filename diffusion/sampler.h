// Samplers: functions from noise to images. Their lines are the papers' algorithms; progress, guidance and batching are
// the caller's, wrapped into the Denoiser.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/registry.h"
#include "core/tensor.h"
#include "diffusion/objective.h"
#include "diffusion/schedule.h"

namespace uvic {

struct SamplerConfig {
  std::string kind = "dpm-solver";  // a row of samplers()
  int64_t steps = 50;               // network calls, exactly
  double eta = 0;                   // ddim: 0 deterministic, 1 like ddpm
  bool clip_x0 = false;             // clamp the predicted image to [-1, 1] at each step (ddpm, ddim)
  double start = 1;                 // the time at which x is; all steps lie below it

  bool operator==(const SamplerConfig&) const = default;
};

using RandnLike = std::function<Tensor(const Tensor&)>;  // standard normal noise, one generator per image
// x [B, C, H, W] float32 or float64: standard normal noise at t = 1, or alpha x0 + sigma eps of t = start. Returns the
// image, same shape and dtype. Error: steps < 1, steps above those that a discrete schedule has up to start, eta
// outside [0, 1], start outside (0.01, 1].
using Sampler = Tensor (*)(const Denoiser& denoiser, const Schedule& schedule, Tensor x, const SamplerConfig& config,
                           const RandnLike& randn_like);
std::span<const Entry<Sampler>> samplers();

}  // namespace uvic
