// Batches, network, schedule and objective joined into the loss that the training loop takes.
#pragma once

#include "datasets/stream.h"
#include "diffusion/objective.h"
#include "diffusion/schedule.h"
#include "train/train.h"
#include "unet_vit/uvit.h"

namespace uvic {

// Mean diffusion loss of a micro-batch; times, then noise, come from its generator, drawn on the CPU. `net` and
// `schedule` must outlive it.
StepLoss make_loss(BatchAt batch_at, const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective,
                   at::Device device);

}  // namespace uvic
