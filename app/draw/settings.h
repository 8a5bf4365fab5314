// Which settings a model draws with.
#pragma once

#include <optional>

#include "app/cli/setting_flags.h"
#include "app/model/model.h"

namespace uvic {

// Those that it was trained with, and the precision and latent scale that it has now.
SampleConfig own_settings(const Model& model);

// `base`, else the model's own, with the flags over them; the model multiplies in their precision from now on.
SampleConfig choose_settings(Model& model, const SettingFlags& flags, const std::optional<SampleConfig>& base = {});

}  // namespace uvic
