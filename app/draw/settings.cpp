#include "app/draw/settings.h"

#include "core/error.h"
#include "core/precision.h"
#include "encoders/tiled_decode.h"

namespace uvic {

SampleConfig settle(Model& model, SampleConfig settings) {
  if (settings.tile > 0) {
    if (!model.autoencoder) fail("--tile is for models of latents, be it a recipe's: give their --autoencoder, too");
    if (settings.tile < kSmallestTile) fail("--tile {}: expected {} or more, or 0", settings.tile, kSmallestTile);
  }
  set_precision(model, find(precisions(), settings.precision, "precision").value);
  settings.latent_scale = model.autoencoder ? model.latent_scale : 0;
  return settings;
}

SampleConfig choose_settings(Model& model, const SettingFlags& flags, const std::optional<SampleConfig>& base) {
  SampleConfig settings = base.value_or(model.card.config.sample);
  flags.apply(settings);
  return settle(model, settings);
}

}  // namespace uvic
