// The network of a run: drawn or begun with given weights, and trained itself or by adapters on it.
#pragma once

#include "app/training/adapted_network.h"
#include "app/training/beginning.h"
#include "app/training/training_data.h"

namespace uvic {

class TrainedNetwork {
 public:
  // Error if the weights do not fit the network or the data (begin_with, expect_classes).
  TrainedNetwork(const RunConfig& config, const TrainingData& data, const Beginning& beginning, at::Device device);

  const Parameters& parameters() const { return net_.parameters(); }  // that are trained
  // Of the data, with this object's network; both must outlive it.
  StepLoss loss(BatchAt batch_at, const Schedule& schedule, const RunConfig& config);
  // The weights of the whole network with these values of parameters().
  TensorMap weights(const Parameters& values) const { return net_.weights(values); }

 private:
  AdaptedNetwork<UVit> net_;
  at::Device device_;
};

}  // namespace uvic
