#include "app/draw/settings.h"

#include "core/error.h"
#include "core/precision.h"
#include "encoders/tiled_decode.h"

namespace uvic {

SampleConfig own_settings(const Model& model) {
  SampleConfig settings = model.card.config.sample;
  settings.precision = name_of(precisions(), model.precision);
  settings.latent_scale = model.autoencoder ? model.latent_scale : 0;
  return settings;
}

SampleConfig choose_settings(Model& model, const SettingFlags& flags, const std::optional<SampleConfig>& base) {
  SampleConfig settings = base.value_or(own_settings(model));
  flags.apply(settings);
  if (settings.tile > 0 && flags.given("tile")) {
    if (!model.autoencoder) fail("--tile is for models of latents: give their --autoencoder, too");
    if (settings.tile < kSmallestTile) fail("--tile {}: expected {} or more, or 0", settings.tile, kSmallestTile);
  }
  set_precision(model, find(precisions(), settings.precision, "precision").value);
  settings.latent_scale = own_settings(model).latent_scale;
  return settings;
}

}  // namespace uvic
