// What a run trains of a network: its own parameters, or adapters on them.
#pragma once

#include <optional>

#include "train/train.h"
#include "transformer/lora.h"

namespace uvic {

template <class Network>
class AdaptedNetwork {
 public:
  // The network as it begins, on its device; rank 0: no adapters.
  AdaptedNetwork(Network net, const LoraConfig& lora, uint64_t seed, MatrixLayout layout)
      : net_(std::move(net)), own_(net_.parameters()) {
    if (lora.rank > 0) adapters_.emplace(own_, lora, seed, layout);
  }

  const Network& net() const { return net_; }
  const Parameters& parameters() const { return adapters_ ? adapters_->parameters() : own_; }  // that are trained

  // `plain` is one of net(); this object must outlive what comes back.
  StepLoss loss(StepLoss plain) {
    if (!adapters_) return plain;
    return [this, plain = std::move(plain)](Items items) {
      // The sums stay in their places until the next ones: the backward pass may compute blocks again.
      const TensorMap sums = adapters_->weights();
      net_.replace([&sums](const std::string& name, const Tensor&, Role) { return sums.at(name); });
      return plain(items);
    };
  }

  // The weights of the whole network with these values of parameters().
  TensorMap weights(const Parameters& values) const {
    const at::NoGradGuard no_grad;
    return adapters_ ? adapters_->weights(to_map(values)) : to_map(values);
  }

 private:
  Network net_;
  Parameters own_;
  std::optional<Adapters> adapters_;
};

}  // namespace uvic
