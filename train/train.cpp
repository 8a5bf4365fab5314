#include "train/train.h"

#include <cmath>
#include <numbers>

#include "core/autocast.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/precision.h"
#include "train/gradient_exchange.h"
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
     [](const Parameters& parameters, const TrainConfig& config, const World&) -> std::unique_ptr<Optimizer> {
       return std::make_unique<AdamW>(parameters, config.adamw);
     },
     "AdamW for every parameter (U-ViT)"},
    {"muon",
     [](const Parameters& parameters, const TrainConfig& config, const World& world) -> std::unique_ptr<Optimizer> {
       return std::make_unique<Muon>(parameters, config.adamw, find(precisions(), config.precision, "precision").value,
                                     world);
     },
     "orthogonalised momentum for the matrices of the blocks, AdamW for the rest: fewer steps"},
};

void zero_gradients(const Parameters& parameters) {
  for (const Parameter& p : parameters) Tensor(p.tensor).mutable_grad().reset();
}

// Divides the gradients by `weight` and scales them down to the norm `limit` if it is exceeded (0: never). Their norm.
double scale_gradients(const Parameters& parameters, double weight, double limit) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters) {
    Tensor& gradient = Tensor(p.tensor).mutable_grad();
    if (!gradient.defined()) gradient = at::zeros_like(p.tensor);  // of a part that this step did not use
    gradients.push_back(gradient);
  }
  const double norm =
      at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)).to(at::kDouble)).item<double>() / weight;
  const double scale = (limit > 0 && norm > limit ? limit / norm : 1) / weight;
  if (scale != 1) at::_foreach_mul_(gradients, scale);
  return norm;
}

}  // namespace

std::span<const Entry<LrDecay>> lr_decays() {
  return kLrDecays;
}
std::span<const Entry<MakeOptimizer>> optimizers() {
  return kOptimizers;
}

TrainState::TrainState(const Parameters& parameters, const TrainConfig& config, const World& world)
    : parameters(parameters),
      optimizer(find(optimizers(), config.optimizer, "optimizer").value(parameters, config, world)),
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

std::vector<Items> micro_batches(const TrainConfig& config, int64_t step, const Share& share) {
  std::vector<Items> parts;
  const Stretch mine = share.of(config.batch);
  const int64_t most = config.micro_batch > 0 ? config.micro_batch : mine.size();
  for (int64_t i = 0; i < config.accumulate; ++i) {
    const int64_t first = (step * config.accumulate + i) * config.batch;
    for (int64_t at = mine.begin; at < mine.end; at += most)
      parts.push_back({first + at, std::min(most, mine.end - at)});
  }
  return parts;
}

std::optional<Items> next_micro_batch(const TrainConfig& config, const Share& share, Items micro_batch) {
  const int64_t step = micro_batch.first / items_per_step(config);
  for (const int64_t k : {step, step + 1}) {
    if (k >= config.steps) break;
    for (const Items items : micro_batches(config, k, share))
      if (items.first > micro_batch.first) return items;
  }
  return std::nullopt;
}

void train(TrainState& state, const StepLoss& loss, const TrainConfig& config, at::DeviceType device,
           const OnStep& on_step, const World& world) {
  const at::ScalarType precision = find(precisions(), config.precision, "precision").value;
  GradientExchange exchange(state.parameters, world,
                            find(precisions(), config.world.wire, "precision on the wire").value);
  while (state.step < config.steps) {
    const Clock::time_point begin = Clock::now();
    double loss_sum = 0, weight = 0;
    zero_gradients(state.parameters);
    const std::vector<Items> parts = micro_batches(config, state.step, world.share());
    for (const Items& items : parts) {
      Tensor sum;
      {
        Autocast autocast(device, precision);
        const MicroBatchLoss value = loss(items);
        sum = value.mean * value.weight;
        weight += value.weight;
      }
      if (&items == &parts.back() && config.world.overlap) exchange.begin();
      sum.backward();
      loss_sum += sum.item<double>();
    }
    const Tensor totals = at::tensor({loss_sum, weight, interrupted() ? 1.0 : 0.0});
    const double waited = exchange.finish(totals);
    const auto total = [&](int64_t i) { return totals[i].item<double>(); };
    const double mean_loss = total(0) / total(1);
    const double lr = learning_rate(config, state.step);
    const double norm = scale_gradients(state.parameters, total(1), config.clip);
    if (!std::isfinite(mean_loss) || !std::isfinite(norm))
      fail(
          "step {}: the {} is not finite (loss {}, gradient norm {}). Lower train.lr, set train.clip, or use "
          "train.precision fp32",
          state.step + 1, std::isfinite(mean_loss) ? "gradient norm" : "loss", mean_loss, norm);
    state.optimizer->step(lr);
    ++state.step;
    state.ema.update(state.parameters, state.step);
    on_step({state.step, mean_loss, norm, lr, total(2) > 0, seconds_since(begin), waited});
  }
}

}  // namespace uvic
