// The network of a language model's run: drawn or begun with another model, and trained itself or by adapters on it.
#pragma once

#include "app/lm/text_beginning.h"
#include "app/lm/text_loss.h"
#include "app/training/adapted_network.h"

namespace uvic {

class TrainedLm {
 public:
  // Error if the weights do not fit the network (begin_with).
  TrainedLm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device);

  const Parameters& parameters() const { return net_.parameters(); }  // that are trained
  // Of the source, with this object's network; this and `passed` must outlive it.
  StepLoss loss(const TextSource& source, const LmRunConfig& config, at::Device device, PassedState& passed);
  // The weights of the whole network with these values of parameters().
  TensorMap weights(const Parameters& values) const { return net_.weights(values); }

 private:
  AdaptedNetwork<Cogformer> net_;
};

}  // namespace uvic
