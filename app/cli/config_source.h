// Where a run's config comes from: flags over --config FILE over --preset NAME over defaults.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "app/cli/options.h"

namespace uvic {

struct ConfigSource {
  std::string preset, file;

  void add_options(CLI::App& app);
  bool empty() const { return preset.empty() && file.empty(); }
  void apply(RunOptions& options) const;  // what flags did not set
};

}  // namespace uvic
