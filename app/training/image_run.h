// The run that trains an image model.
#pragma once

#include "app/training/trained_network.h"
#include "app/training/training_run.h"

namespace uvic {

void run_image_training(const RunConfig& config, const TrainingData& data, const Beginning& beginning,
                        at::Device device, Start start);

}  // namespace uvic
