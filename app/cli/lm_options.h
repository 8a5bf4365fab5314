// Options of a run that trains a language model.
#pragma once

#include "app/cli/config_options.h"
#include "app/cli/lm_config.h"

namespace uvic {

class LmOptions : public ConfigOptions {
 public:
  using Config = LmRunConfig;
  enum Scope { kAll, kModelOnly };  // kModelOnly: only flags of the model are shown
  // Declares --section.key for every field of `config` on `app`. Both must outlive this object.
  LmOptions(CLI::App& app, LmRunConfig& config, Scope scope = kAll);
};

}  // namespace uvic
