// Training on latents, with states of captions or alone.
#pragma once

#include "app/training/training_source.h"
#include "datasets/latents.h"

namespace uvic {

// Items, captions and drops as make_stream draws them. x is a latent drawn anew for every item from its moments,
// (mean + std eps) scale, with eps from the item's own generator; [B, C, side, side] float32. The context is [B, N, D]
// float32, that of the empty prompt for images without a caption and dropped ones. config.context_tokens 0: no context.
// Neither classes nor flips: the latent of a mirrored picture is not the mirrored latent.
BatchAt make_latent_stream(std::shared_ptr<const LatentDataset> data, const StreamConfig& config, double scale);

// The row "latents". Fills their scale if the data tells it. Error if model and latents do not fit, for options that
// need pixels, and for a grid's autoencoder or text encoder that is not the latents' own.
TrainingSource source_of_latents(RunConfig& config, std::shared_ptr<const Dataset> data,
                                 const std::optional<Vocabulary>& known = {});

}  // namespace uvic
