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

}  // namespace uvic
