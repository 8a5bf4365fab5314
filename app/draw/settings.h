// Which settings a model draws with.
#pragma once

#include <optional>

#include "app/cli/setting_flags.h"
#include "app/model/model.h"

namespace uvic {

// `base`, else those that the model was trained with, and the flags over them. The model multiplies in their precision
// from now on; the latent scale is the one that it has.
SampleConfig choose_settings(Model& model, const SettingFlags& flags, const std::optional<SampleConfig>& base = {});

}  // namespace uvic
