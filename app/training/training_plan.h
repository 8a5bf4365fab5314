// What a training run would take.
#pragma once

#include "app/training/trained_network.h"

namespace uvic {

// Prints parameters, memory, seconds per step of a 3-step probe, time and disk of the whole run; writes nothing.
void plan_training(const RunConfig& config, const TrainingData& data, TrainedNetwork& net, at::Device device);

}  // namespace uvic
