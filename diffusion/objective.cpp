#include "diffusion/objective.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

namespace uvic {
namespace {

double zero(double, double) {
  return 0;
}
double one(double, double) {
  return 1;
}
double alpha_itself(double alpha, double) {
  return alpha;
}
double minus_sigma(double, double sigma) {
  return -sigma;
}
double sigma_squared(double, double sigma) {
  return sigma * sigma;
}
double inverse_snr(double alpha, double sigma) {
  return sigma * sigma / (alpha * alpha);
}

Tensor eps_from_eps(const Tensor&, const Tensor& eps, double, double) {
  return eps;
}
Tensor eps_from_x0(const Tensor& xt, const Tensor& x0, double alpha, double sigma) {
  return (xt - x0 * alpha) / sigma;
}
Tensor eps_from_v(const Tensor& xt, const Tensor& v, double alpha, double sigma) {
  return xt * sigma + v * alpha;
}

constexpr Entry<Prediction> kPredictions[] = {
    {"eps", {zero, one, inverse_snr, eps_from_eps}, "the noise (DDPM, U-ViT)"},
    {"x0", {one, zero, one, eps_from_x0}, "the clean image"},
    {"v", {minus_sigma, alpha_itself, sigma_squared, eps_from_v}, "alpha eps - sigma x0 (progressive distillation)"},
};

double simple_weight(const Prediction&, double, double, double) {
  return 1;
}

// min(snr, gamma) over x0 (arXiv 2303.09556, section 3.4), hence min(snr, gamma) / snr over eps and
// min(snr, gamma) / (snr + 1) over v. snr is infinite at t = 0, where only x0 keeps a weight.
double min_snr_weight(const Prediction& prediction, double alpha, double sigma, double gamma) {
  return std::min(alpha * alpha / (sigma * sigma), gamma) * prediction.x0_error(alpha, sigma);
}

// The loss of v weighs the error of x0 by snr + 1 (arXiv 2202.00512, section 4): never below 1, so that the noisy
// times, where an image gets its layout, count. Clipped as min-snr is.
double min_snr_v_weight(const Prediction& prediction, double alpha, double sigma, double gamma) {
  return min_snr_weight(prediction, alpha, sigma, gamma) + prediction.x0_error(alpha, sigma);
}

constexpr Entry<Weighting> kWeightings[] = {
    {"simple", simple_weight, "every time alike"},
    {"min-snr", min_snr_weight, "signal-to-noise ratio clipped at snr_gamma (Hang et al.)"},
    {"min-snr-v", min_snr_v_weight, "the same plus 1: the loss of v, clipped"},
};

// One scalar a sample, in the dtype and on the device of `like`, shaped to multiply it.
Tensor per_sample(const std::vector<double>& values, const Tensor& like) {
  std::vector<int64_t> shape(like.dim(), 1);
  shape[0] = like.size(0);
  return at::tensor(values, at::kDouble).to(like.options()).view(shape);
}

}  // namespace

std::span<const Entry<Prediction>> prediction_kinds() {
  return kPredictions;
}
std::span<const Entry<Weighting>> weighting_kinds() {
  return kWeightings;
}

Tensor diffusion_loss(const Network& network, const Schedule& schedule, const ObjectiveConfig& config, const Tensor& x0,
                      const Tensor& t, const Tensor& eps) {
  const Prediction& kind = find(prediction_kinds(), config.prediction, "prediction").value;
  const Weighting weight_at = find(weighting_kinds(), config.weighting, "weighting").value;
  if (!(config.snr_gamma > 0)) fail("snr_gamma is {}: expected a number above 0 (usually 5)", config.snr_gamma);
  const int64_t batch = x0.size(0);
  TORCH_CHECK(x0.sizes() == eps.sizes() && t.dim() == 1 && t.size(0) == batch, "diffusion_loss: x0 ", x0.sizes(),
              ", eps ", eps.sizes(), ", t ", t.sizes());

  const Tensor times = t.to(at::kCPU, at::kDouble).contiguous();
  std::vector<double> alpha, sigma, target_x0, target_eps, weight, time;
  for (const double at : std::span(times.const_data_ptr<double>(), batch)) {
    const double a = schedule.alpha(at), s = schedule.sigma(at);
    alpha.push_back(a);
    sigma.push_back(s);
    target_x0.push_back(kind.target_x0(a, s));
    target_eps.push_back(kind.target_eps(a, s));
    weight.push_back(weight_at(kind, a, s, config.snr_gamma));
    time.push_back(schedule.network_time(at));
  }

  const Tensor xt = per_sample(alpha, x0) * x0 + per_sample(sigma, x0) * eps;
  const Tensor target = per_sample(target_x0, x0) * x0 + per_sample(target_eps, x0) * eps;
  const Tensor prediction = network(xt, per_sample(time, x0).view({batch}));
  TORCH_CHECK(prediction.sizes() == x0.sizes(), "the network returned ", prediction.sizes(), " for ", x0.sizes());
  const Tensor error = (prediction.to(x0.scalar_type()) - target).square().flatten(1).mean(1);
  return error * per_sample(weight, x0).view({batch});
}

Denoiser make_denoiser(Network network, const Schedule& schedule, const std::string& prediction) {
  const auto to_eps = find(prediction_kinds(), prediction, "prediction").value.eps;
  return [network = std::move(network), &schedule, to_eps](const Tensor& x, double t) {
    const c10::NoGradGuard no_grad;
    const Tensor output = network(x, at::full({x.size(0)}, schedule.network_time(t), x.options()));
    return to_eps(x, output.to(x.scalar_type()), schedule.alpha(t), schedule.sigma(t));
  };
}

}  // namespace uvic
