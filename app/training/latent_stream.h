// The training stream of latents: batch k as a pure function of (seed, k), as datasets/stream.h has it for pixels.
#pragma once

#include <memory>

#include "datasets/latents.h"
#include "datasets/stream.h"

namespace uvic {

// Items, captions and drops as make_stream draws them. x is a latent drawn anew for every item from its moments,
// (mean + std eps) scale, with eps from the item's own generator; [B, C, side, side] float32. The context is [B, N, D]
// float32, that of the empty prompt for images without a caption and dropped ones. config.context_tokens 0: no context.
// Neither classes nor flips: the latent of a mirrored picture is not the mirrored latent.
BatchAt make_latent_stream(std::shared_ptr<const LatentDataset> data, const StreamConfig& config, double scale);

}  // namespace uvic
