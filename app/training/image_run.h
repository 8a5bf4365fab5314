// The run that trains an image model.
#pragma once

#include "app/training/trained_network.h"
#include "app/training/training_run.h"

namespace uvic {

// `init_sha256`: of what the network began with.
void run_image_training(const RunConfig& config, const TrainingData& data, TrainedNetwork& net,
                        const std::string& init_sha256, at::Device device, Start start);

}  // namespace uvic
