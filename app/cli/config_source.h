// Where a run's config comes from: flags over --config FILE over --preset NAME over defaults.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "app/cli/config_options.h"
#include "app/cli/presets.h"

namespace uvic {

struct ConfigSource {
  std::string preset, file;
  std::span<const Entry<std::string_view>> table = presets();

  void add_options(CLI::App& app);
  bool empty() const { return preset.empty() && file.empty(); }
  void apply(ConfigOptions& options) const;  // what flags did not set
};

}  // namespace uvic
