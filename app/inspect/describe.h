// What files hold, as fields that print as aligned text or as one JSON object.
#pragma once

#include <filesystem>
#include <utility>

#include "app/cli/lm_config.h"
#include "app/cli/results.h"
#include "app/cli/run_config.h"
#include "train/run_folder.h"

namespace uvic {

// The network, how it was trained and how it samples, in a few lines.
Fields describe_config(const RunConfig& config);
Fields describe_config(const LmRunConfig& config);
// The steps of a run, and its config. Errors as apply_run_config.
std::pair<int64_t, Fields> describe_config(const RunFolder& run);

// A file of weights: size, hash, tensors, and the config in its metadata or what its shapes tell. `list_tensors`: also
// every tensor's name, type and shape.
Fields describe_weights(const std::filesystem::path& file, bool list_tensors);

}  // namespace uvic
