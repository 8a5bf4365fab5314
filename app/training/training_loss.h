// Network, schedule and objective joined into the loss that the training loop takes.
#pragma once

#include "diffusion/objective.h"
#include "diffusion/schedule.h"
#include "train/train.h"
#include "unet_vit/uvit.h"

namespace uvic {

// Mean diffusion loss of a batch; times, then noise, come from the step's generator, drawn on the CPU. `net` and
// `schedule` must outlive it.
Loss make_loss(const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective, at::Device device);

}  // namespace uvic
