// The flags that name the networks around a model of latents or text states.
#pragma once

#include <CLI/CLI.hpp>

#include "app/model/model.h"

namespace uvic {

// --autoencoder, --text and --latent-scale, which attach_encoders() takes; `files` must outlive `app`.
void add_encoder_options(CLI::App& app, EncoderFiles& files);

}  // namespace uvic
