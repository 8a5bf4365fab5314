// Options of a run that trains a language model.
#pragma once

#include "app/cli/config_options.h"
#include "app/cli/lm_config.h"

namespace uvic {

class LmOptions : public ConfigOptions {
 public:
  using Config = LmRunConfig;
  // Declares --section.key for every field of `config` on `app`. Both must outlive this object.
  LmOptions(CLI::App& app, LmRunConfig& config);
};

}  // namespace uvic
