// The training loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/registry.h"
#include "core/share.h"
#include "train/adamw.h"
#include "train/ema.h"
#include "train/world.h"

namespace uvic {

// What ranks agree on.
struct WorldConfig {
  std::string wire = "fp32";  // a row of precisions(): how gradients are sent
  bool overlap = true;        // gradients are sent while others are still being made
  int64_t check = 1000;       // steps between comparisons of the ranks' weights; 0: none
  int64_t timeout = 60;       // seconds in which a rank must answer
};

struct TrainConfig {
  int64_t steps = 100000;
  int64_t batch = 128;      // items, over all ranks together
  int64_t accumulate = 1;   // batches per step
  int64_t micro_batch = 0;  // items that a rank computes at once; 0: its share of a batch
  uint64_t seed = 0;
  double lr = 2e-4;
  int64_t warmup = 2500;              // steps of linear warm-up; the first step has rate 0, as in U-ViT
  std::string lr_decay = "constant";  // a row of lr_decays()
  std::string optimizer = "adamw";    // a row of optimizers()
  double clip = 0;                    // gradient norm; 0: no clipping
  std::string precision = "fp32";     // a row of precisions()
  AdamWConfig adamw;                  // of Muon's other parameters too
  EmaConfig ema;
  WorldConfig world;
};

// constant | cosine (towards 0 at the end)
using LrDecay = double (*)(double progress);  // progress of training in [0, 1] -> factor
std::span<const Entry<LrDecay>> lr_decays();
// adamw | muon
using MakeOptimizer = std::unique_ptr<Optimizer> (*)(const Parameters& parameters, const TrainConfig& config,
                                                     const World& world);
std::span<const Entry<MakeOptimizer>> optimizers();

// What in the config is probably a mistake, a sentence each: a warm-up or an average longer than the run.
std::vector<std::string> doubts(const TrainConfig& config);

// Rate of step k = 0, 1, ...
double learning_rate(const TrainConfig& config, int64_t step);

// The mean loss, a scalar, of what counts in a micro-batch, and how much that is: items, or tokens.
struct MicroBatchLoss {
  Tensor mean;
  double weight;
};
// Of items, which it fetches itself.
using StepLoss = std::function<MicroBatchLoss(Items items)>;

// The micro-batches of a rank in step k: its share of every batch, in parts of at most config.micro_batch.
std::vector<Items> micro_batches(const TrainConfig& config, int64_t step, const Share& share);
// The micro-batch that train() asks for after this one; nothing after the last.
std::optional<Items> next_micro_batch(const TrainConfig& config, const Share& share, Items micro_batch);
inline int64_t items_per_step(const TrainConfig& config) {
  return config.batch * config.accumulate;
}

struct StepStats {
  int64_t step;  // steps done: 1 after the first
  double loss, grad_norm, lr;
  bool interrupted;        // on some rank, so that all of them know
  double seconds, waited;  // this rank's for the step, and those of them in which it waited for others
};
// After every step. What it throws, Interrupted say, leaves train() between two steps.
using OnStep = std::function<void(const StepStats&)>;

// What a run's training state consists of.
struct TrainState {
  Parameters parameters;
  std::unique_ptr<Optimizer> optimizer;
  Ema ema;
  int64_t step = 0;

  TrainState(const Parameters& parameters, const TrainConfig& config, const World& world = {});
};

// Steps state.step .. config.steps-1; the items of step k are items_per_step k and those that follow, shared out over
// the ranks of `world`, on which everything else must be equal. The loss of a step is the mean over all that counts in
// it. If what a micro-batch gives depends on its items and the weights alone, a run resumed from a saved state equals
// one that was never stopped, bit for bit on as many ranks, and to rounding on any other number. Error, naming the step
// and leaving the state as it was before that step, if the loss or the gradient norm is not finite.
void train(TrainState& state, const StepLoss& loss, const TrainConfig& config, at::DeviceType device,
           const OnStep& on_step, const World& world = {});

}  // namespace uvic
