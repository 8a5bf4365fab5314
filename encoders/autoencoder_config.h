// The layout of an AutoencoderKL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "encoders/autoencoder_names.h"

namespace uvic {

// What the names and shapes of the weights tell (latent-diffusion's ddconfig), and two things that they do not.
struct AutoencoderConfig {
  int64_t stem = 128;                                    // ch
  std::vector<int64_t> channels = {128, 256, 512, 512};  // of each level, the highest resolution first: ch * ch_mult
  std::vector<bool> attention = {false, false, false, false};  // of each level
  int64_t res_blocks = 2;                                      // per level of the encoder; the decoder has one more
  int64_t in_channels = 3, out_channels = 3;
  int64_t z_channels = 4;       // between encoder and decoder
  int64_t embed_dim = 4;        // of a latent
  bool double_z = true;         // the encoder gives mean and log-variance
  int64_t groups = 32;          // of group norm
  std::optional<double> scale;  // of latents that a diffusion model sees, if the files say it
};

// All but `groups` and `scale`, which no weights show. Error if these are no weights of an autoencoder.
AutoencoderConfig infer_autoencoder_config(const TensorMap& weights, const AutoencoderNames& names,
                                           const std::string& origin);

}  // namespace uvic
