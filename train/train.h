// The training loop.
#pragma once

#include <functional>
#include <memory>
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
// fp32 | bf16 (autocast: matrix products in bfloat16, weights and their updates in float32)
std::span<const Entry<at::ScalarType>> precisions();

// What in the config is probably a mistake, a sentence each: a warm-up or an average longer than the run.
std::vector<std::string> doubts(const TrainConfig& config);

// Rate of step k = 0, 1, ...
double learning_rate(const TrainConfig& config, int64_t step);

// Scalar loss of a batch; `generator` is the step's own.
using Loss = std::function<Tensor(const Batch& batch, at::Generator& generator)>;

struct StepStats {
  int64_t step;  // steps done: 1 after the first
  double loss, grad_norm, lr;
};
// After every step. Return false to stop.
using OnStep = std::function<bool(const StepStats&)>;

// What a run's training state consists of.
struct TrainState {
  Parameters parameters;
  std::unique_ptr<Optimizer> optimizer;
  Ema ema;
  int64_t step = 0;

  TrainState(const Parameters& parameters, const TrainConfig& config);
};

// Steps state.step .. config.steps-1. Batch, noise and dropout of micro-batch m = step accumulate + i depend on (seed,
// m) alone, so a run resumed from a saved state equals one that was never stopped, bit for bit. Error, naming the step
// and leaving the state as it was before that step, if the loss or the gradient norm is not finite.
void train(TrainState& state, const Loss& loss, const BatchAt& batch_at, const TrainConfig& config,
           at::DeviceType device, const OnStep& on_step);

}  // namespace uvic
