#include "train/train.h"

#include <cmath>
#include <numbers>

#include "core/autocast.h"
#include "core/error.h"
#include "core/precision.h"
#include "core/random.h"
#include "train/muon.h"

namespace uvic {
namespace {

constexpr Entry<LrDecay> kLrDecays[] = {
    {"constant", [](double) { return 1.0; }, "no decay"},
    {"cosine", [](double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * progress)); },
     "half a cosine, towards 0 at the end"},
};

constexpr Entry<MakeOptimizer> kOptimizers[] = {
    {"adamw",
     [](const Parameters& parameters, const TrainConfig& config) -> std::unique_ptr<Optimizer> {
       return std::make_unique<AdamW>(parameters, config.adamw);
     },
     "AdamW for every parameter (U-ViT)"},
    {"muon",
     [](const Parameters& parameters, const TrainConfig& config) -> std::unique_ptr<Optimizer> {
       return std::make_unique<Muon>(parameters, config.adamw, find(precisions(), config.precision, "precision").value);
     },
     "orthogonalised momentum for the matrices of the blocks, AdamW for the rest: fewer steps"},
};

void zero_gradients(const Parameters& parameters) {
  for (const Parameter& p : parameters) Tensor(p.tensor).mutable_grad().reset();
}

// Norm of all gradients together; scales them down to `limit` if it is exceeded (0: never).
double clip_gradients(const Parameters& parameters, double limit) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters) {
    Tensor& gradient = Tensor(p.tensor).mutable_grad();
    if (!gradient.defined()) gradient = at::zeros_like(p.tensor);  // of a part that this step did not use
    gradients.push_back(gradient);
  }
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)).to(at::kDouble)).item<double>();
  if (limit > 0 && norm > limit) at::_foreach_mul_(gradients, limit / norm);
  return norm;
}

}  // namespace

std::span<const Entry<LrDecay>> lr_decays() {
  return kLrDecays;
}
std::span<const Entry<MakeOptimizer>> optimizers() {
  return kOptimizers;
}

TrainState::TrainState(const Parameters& parameters, const TrainConfig& config)
    : parameters(parameters),
      optimizer(find(optimizers(), config.optimizer, "optimizer").value(parameters, config)),
      ema(parameters, config.ema) {}

std::vector<std::string> doubts(const TrainConfig& config) {
  constexpr double kMuch = 0.1, kLittle = 0.001;
  std::vector<std::string> found;
  const auto steps = static_cast<double>(config.steps);
  if (config.warmup >= config.steps)
    found.push_back(
        fmt::format("train.warmup {} does not end within the run's {} steps, so the learning rate never reaches "
                    "train.lr",
                    config.warmup, config.steps));
  if (const double left = std::pow(config.ema.rate, steps); !config.ema.warmup && left > kMuch)
    found.push_back(
        fmt::format("train.ema {} is long for {} steps: {:.0f} % of the average will be the initial weights; give "
                    "--train.ema_warmup true, or an average of at most {:.4g}",
                    config.ema.rate, config.steps, 100 * left, std::pow(kLittle, 1 / steps)));
  return found;
}

double learning_rate(const TrainConfig& config, int64_t step) {
  const double warmup =
      config.warmup == 0 ? 1.0 : std::min(1.0, static_cast<double>(step) / static_cast<double>(config.warmup));
  const double progress = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, config.steps));
  return config.lr * warmup * find(lr_decays(), config.lr_decay, "learning-rate decay").value(progress);
}

std::optional<int64_t> next_micro_batch(const TrainConfig& config, int64_t micro_batch) {
  const int64_t next = micro_batch + 1;
  if (next / config.accumulate >= config.steps) return std::nullopt;
  return next;
}

void train(TrainState& state, const StepLoss& loss, const TrainConfig& config, at::DeviceType device,
           const OnStep& on_step) {
  const at::ScalarType precision = find(precisions(), config.precision, "precision").value;
  while (state.step < config.steps) {
    double mean_loss = 0;
    zero_gradients(state.parameters);
    for (int64_t i = 0; i < config.accumulate; ++i) {
      const int64_t micro = state.step * config.accumulate + i;
      at::Generator generator = make_generator(config.seed, Stream::kNoise, static_cast<uint64_t>(micro));
      Tensor value;
      {
        Autocast autocast(device, precision);
        value = loss(micro, generator) / static_cast<double>(config.accumulate);
      }
      value.backward();
      mean_loss += value.item<double>();
    }
    const double lr = learning_rate(config, state.step);
    const double norm = clip_gradients(state.parameters, config.clip);
    if (!std::isfinite(mean_loss) || !std::isfinite(norm))
      fail(
          "step {}: the {} is not finite (loss {}, gradient norm {}). Lower train.lr, set train.clip, or use "
          "train.precision fp32",
          state.step + 1, std::isfinite(mean_loss) ? "gradient norm" : "loss", mean_loss, norm);
    state.optimizer->step(lr);
    ++state.step;
    state.ema.update(state.parameters, state.step);
    on_step({state.step, mean_loss, norm, lr});
  }
}

}  // namespace uvic
