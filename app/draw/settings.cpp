#include "app/draw/settings.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/device.h"
#include "core/error.h"
#include "core/precision.h"
#include "core/progress.h"
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

// Half of the memory that is free, since others want some too.
int64_t tile_for(const Model& model, int64_t pictures) {
  if (!model.autoencoder || !model.device.is_cpu()) return 0;
  const int64_t at_once = std::clamp<int64_t>(pictures, 1, at::get_num_threads()), bytes = free_memory() / 2 / at_once;
  const int64_t side = model.card.config.model.image_size;
  const int64_t tile = tile_within(model.autoencoder->config(), side, bytes);
  if (tile > 0)
    log_line(fmt::format(
        "memory is short: latents are decoded in tiles of {}, not {} (--tile 0 decodes them as a whole)", tile, side));
  return tile;
}

}  // namespace uvic
