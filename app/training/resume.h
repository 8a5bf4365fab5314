// Going on with a run: its config and device, and what must not change.
#pragma once

#include "app/cli/options.h"
#include "app/training/training_run.h"
#include "app/training/training_source.h"

namespace uvic {

// Gives the keys of the run's config.toml to the options. What that lacks, because it is empty, cut or damaged, comes
// from the copy in the newest checkpoint, with a warning; Error if there is none.
void apply_run_config(ConfigOptions& options, const RunFolder& run);
template <class Options>
typename Options::Config config_of_run(const RunFolder& run) {
  CLI::App app;
  typename Options::Config config;
  Options options(app, config);
  apply_run_config(options, run);
  return config;
}

// Whether its config is one of `uvic lm train`.
bool trains_language_model(const RunFolder& run);

// Where the run was trained last.
at::Device device_of_run(const RunFolder& run);

// Error if the checkpoint's weights would get another meaning: by a key of the config, by other classes or words of the
// data, or by another text encoder.
void expect_same_meaning(const RunFolder& run, const Checkpoint& checkpoint, const RunConfig& config,
                         const TrainingSource& source);

}  // namespace uvic
