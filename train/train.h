// The training loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/registry.h"
#include "train/adamw.h"
#include "train/ema.h"

namespace uvic {

struct TrainConfig {
  int64_t steps = 100000;
  int64_t batch = 128;     // images per micro-batch
  int64_t accumulate = 1;  // micro-batches per step
  uint64_t seed = 0;
  double lr = 2e-4;
  int64_t warmup = 2500;              // steps of linear warm-up; the first step has rate 0, as in U-ViT
  std::string lr_decay = "constant";  // a row of lr_decays()
  std::string optimizer = "adamw";    // a row of optimizers()
  double clip = 0;                    // gradient norm; 0: no clipping
  std::string precision = "fp32";     // a row of precisions()
  AdamWConfig adamw;                  // of Muon's other parameters too
  EmaConfig ema;
};

// constant | cosine (towards 0 at the end)
using LrDecay = double (*)(double progress);  // progress of training in [0, 1] -> factor
std::span<const Entry<LrDecay>> lr_decays();
// adamw | muon
using MakeOptimizer = std::unique_ptr<Optimizer> (*)(const Parameters& parameters, const TrainConfig& config);
std::span<const Entry<MakeOptimizer>> optimizers();

// What in the config is probably a mistake, a sentence each: a warm-up or an average longer than the run.
std::vector<std::string> doubts(const TrainConfig& config);

// Rate of step k = 0, 1, ...
double learning_rate(const TrainConfig& config, int64_t step);

// Scalar loss of a micro-batch, which it fetches itself; `generator` is the micro-batch's own.
using StepLoss = std::function<Tensor(int64_t micro_batch, at::Generator& generator)>;

// The micro-batch that train() asks for after this one; nothing after the last.
std::optional<int64_t> next_micro_batch(const TrainConfig& config, int64_t micro_batch);

struct StepStats {
  int64_t step;  // steps done: 1 after the first
  double loss, grad_norm, lr;
};
// After every step. What it throws, Interrupted say, leaves train() between two steps.
using OnStep = std::function<void(const StepStats&)>;

// What a run's training state consists of.
struct TrainState {
  Parameters parameters;
  std::unique_ptr<Optimizer> optimizer;
  Ema ema;
  int64_t step = 0;

  TrainState(const Parameters& parameters, const TrainConfig& config);
};

// Steps state.step .. config.steps-1. The generator of micro-batch m = step accumulate + i depends on (seed, m) alone;
// if its loss depends on nothing else but the weights, a run resumed from a saved state equals one that was never
// stopped, bit for bit. Error, naming the step and leaving the state as it was before that step, if the loss or the
// gradient norm is not finite.
void train(TrainState& state, const StepLoss& loss, const TrainConfig& config, at::DeviceType device,
           const OnStep& on_step);

}  // namespace uvic
