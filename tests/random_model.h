// A model that needs no training.
#pragma once

#include "app/model/model.h"
#include "tests/random_weights.h"

namespace uvic {

// A network of random weights without text; of latents of a quarter of the side, too.
inline Model random_model(bool latents) {
  RunConfig config;
  config.model.size = "nano";
  config.model.image_size = latents ? 8 : 16;
  config.model.patch = 2;
  config.model.channels = latents ? 4 : 3;
  Model model{.path = "random",
              .name = "random",
              .hash = "",
              .card = {.config = config, .step = 0, .classes = {}, .vocabulary = {}},
              .net = UVit(config.model, 5),
              .schedule = make_schedule({})};
  model.card.config.model = model.net.config();
  if (!latents) return model;
  AutoencoderConfig shape;
  shape.stem = 32;
  shape.channels = {32, 32, 32};
  shape.attention = {false, false, false};
  shape.res_blocks = 1;
  model.autoencoder = std::make_unique<AutoencoderKl>(random_weights(AutoencoderKl(shape).parameters(), 2), "random");
  model.latent_scale = 0.5;
  return model;
}

}  // namespace uvic
