// The run that trains an image model.
#pragma once

#include "app/training/training_data.h"
#include "app/training/training_run.h"

namespace uvic {

void run_image_training(const RunConfig& config, const TrainingData& data, at::Device device, Start start);

}  // namespace uvic
