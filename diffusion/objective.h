// What the network predicts and how the error is weighted.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/registry.h"
#include "core/tensor.h"
#include "diffusion/schedule.h"

namespace uvic {

struct ObjectiveConfig {
  std::string prediction = "eps";    // eps | x0 | v
  std::string weighting = "simple";  // simple | min-snr
  double snr_gamma = 5;              // of min-snr (arXiv 2303.09556)
};

// The raw network: (x_t [B, C, H, W], network time [B]) -> prediction of the same shape.
using Network = std::function<Tensor(const Tensor& x, const Tensor& time)>;
// Predicted noise at continuous time t (the same for the whole batch).
using Denoiser = std::function<Tensor(const Tensor& x, double t)>;

std::span<const Entry<int>> prediction_kinds();
std::span<const Entry<int>> weighting_kinds();

// Per-sample loss [B]: weighted mean over C, H, W of (target - prediction)^2, with x_t = alpha x0 + sigma eps.
// x0, eps [B, C, H, W] float; t [B] float64 (Schedule::sample_times).
Tensor diffusion_loss(const Network& network, const Schedule& schedule, const ObjectiveConfig& config, const Tensor& x0,
                      const Tensor& t, const Tensor& eps);

// eps from whatever the network predicts. `schedule` must outlive the result.
Denoiser make_denoiser(Network network, const Schedule& schedule, const std::string& prediction);

}  // namespace uvic
