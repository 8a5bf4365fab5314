// Batches, network, schedule and objective joined into the loss that the training loop takes.
#pragma once

#include "datasets/stream.h"
#include "diffusion/objective.h"
#include "diffusion/schedule.h"
#include "train/train.h"
#include "unet_vit/uvit.h"

namespace uvic {

// Diffusion loss of pictures. The time of an item, then its noise, are drawn on the CPU by a generator of its own,
// which depends on (seed, item) alone. `net` and `schedule` must outlive it.
StepLoss make_loss(BatchAt batch_at, const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective,
                   uint64_t seed, at::Device device);

}  // namespace uvic
