// The network of a language model's run: drawn or begun with another model, and trained itself or by adapters on it.
#pragma once

#include <optional>

#include "app/lm/text_beginning.h"
#include "app/lm/text_loss.h"

namespace uvic {

class TrainedLm {
 public:
  // Error if the weights do not fit the network (begin_with).
  TrainedLm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device);

  const Parameters& parameters() const { return adapters_ ? adapters_->parameters() : own_; }  // that are trained
  // Of the source, with this object's network; this and `passed` must outlive it.
  StepLoss loss(const TextSource& source, const LmRunConfig& config, at::Device device, PassedState& passed);
  // The weights of the whole network with these values of parameters().
  TensorMap weights(const Parameters& values) const;

 private:
  Cogformer net_;
  Parameters own_;
  std::optional<Adapters> adapters_;
};

}  // namespace uvic
