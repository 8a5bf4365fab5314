// Rows of tokens and a language model joined into the loss that the training loop takes.
#pragma once

#include "app/lm/text_source.h"
#include "lm/cogformer.h"
#include "train/train.h"

namespace uvic {

// The feedback memory at the end of a step's first row, [1, F, dim] of each layer, for random state passing
// (arXiv 2404.09173, section 3.4). Part of what a run saves.
struct PassedState {
  std::vector<Tensor> fam;
  TensorMap tensors() const;
  void load(const TensorMap& tensors);
};

// Cross entropy of the tokens that count. Whether the rows of a step go on where the first of the step before ended
// depends on (train.seed, step) alone. `net` and `passed` must outlive it.
StepLoss make_text_loss(TextBatchAt batch_at, const Cogformer& net, const LmRunConfig& config, at::Device device,
                        PassedState& passed);

}  // namespace uvic
