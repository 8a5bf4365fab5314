// What is special about training on latents.
#pragma once

#include "app/cli/run_config.h"
#include "app/draw/pipeline.h"
#include "datasets/latents.h"

namespace uvic {

// Fills the scale of the latents if the data tells it. Error if model and latents do not fit, for options that need
// pixels, and for a grid's autoencoder that is not the latents' own.
void fit_latents(RunConfig& config, const LatentDataset& data);
// The opposite: Error for options of latents.
void fit_pictures(const RunConfig& config);

// Makes the request one for caption 0 of image `place` (cyclically), in words and states.
void request_caption(const LatentDataset& data, int64_t place, Request& request);

}  // namespace uvic
