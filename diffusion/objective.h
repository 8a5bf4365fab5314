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
  std::string prediction = "eps";    // a row of prediction_kinds()
  std::string weighting = "simple";  // a row of weighting_kinds()
  double snr_gamma = 5;              // of min-snr (arXiv 2303.09556)
};

// The raw network: (x_t [B, C, H, W], network time [B]) -> prediction of the same shape.
using Network = std::function<Tensor(const Tensor& x, const Tensor& time)>;
// Predicted noise at continuous time t (the same for the whole batch).
using Denoiser = std::function<Tensor(const Tensor& x, double t)>;

// A quantity the network may predict at a time with mean coefficient alpha and standard deviation sigma.
struct Prediction {
  // target = target_x0 x0 + target_eps eps
  double (*target_x0)(double alpha, double sigma);
  double (*target_eps)(double alpha, double sigma);
  // |error of the x0 it implies|^2 / |error of the prediction|^2: carries weights over x0 to this quantity.
  double (*x0_error)(double alpha, double sigma);
  // The noise it implies in x_t.
  Tensor (*eps)(const Tensor& xt, const Tensor& prediction, double alpha, double sigma);
};
// The factor of the prediction's squared error.
using Weighting = double (*)(const Prediction& prediction, double alpha, double sigma, double snr_gamma);

std::span<const Entry<Prediction>> prediction_kinds();  // eps, x0, v
std::span<const Entry<Weighting>> weighting_kinds();    // simple, min-snr, min-snr-v

// Per-sample loss [B]: weighted mean over C, H, W of (target - prediction)^2, with x_t = alpha x0 + sigma eps.
// x0, eps [B, C, H, W] float; t [B] float64 (Schedule::sample_times). The prediction may come in a lower precision.
// Error: an unknown kind, or snr_gamma <= 0.
Tensor diffusion_loss(const Network& network, const Schedule& schedule, const ObjectiveConfig& config, const Tensor& x0,
                      const Tensor& t, const Tensor& eps);

// eps from whatever the network predicts, without recording gradients. `schedule` must outlive the result.
// Error: an unknown prediction.
Denoiser make_denoiser(Network network, const Schedule& schedule, const std::string& prediction);

}  // namespace uvic
