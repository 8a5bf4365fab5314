// What a frozen network computes, as a hash: equal for the same weights in whatever file, under whatever names.
#pragma once

#include <string>

#include "encoders/autoencoder_kl.h"
#include "encoders/text_encoder.h"

namespace uvic {

// Lower-case hex SHA-256 of config, names, shapes, dtypes and values; of a text encoder also of its tokenizer. The
// scale of latents does not count: it is applied to what the autoencoder computes.
std::string fingerprint(const AutoencoderKl& autoencoder);
std::string fingerprint(const TextEncoder& text);

}  // namespace uvic
