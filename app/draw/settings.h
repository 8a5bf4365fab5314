// Which settings a model draws with.
#pragma once

#include <optional>

#include "app/cli/setting_flags.h"
#include "app/model/model.h"

namespace uvic {

// `settings`, with what of them follows from the model: its latent scale. The model multiplies in their precision from
// now on. Error if a tile does not fit it.
SampleConfig settle(Model& model, SampleConfig settings);

// The same of `base`, else those that the model was trained with, and the flags over them.
SampleConfig choose_settings(Model& model, const SettingFlags& flags, const std::optional<SampleConfig>& base = {});

// The decoder's tile, when memory is too short to decode so many pictures as a whole at a time as there are threads;
// else 0. A log line says so.
int64_t tile_for(const Model& model, int64_t pictures);

}  // namespace uvic
