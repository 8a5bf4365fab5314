// What tells the configs of runs apart.
#pragma once

#include <string>
#include <vector>

#include "app/cli/toml.h"

namespace uvic {

struct ConfigDifference {
  std::string key;                  // "train.lr"
  std::vector<std::string> values;  // one for each config; "not there" for a key that it lacks
};

// The keys whose values are not all equal, in the order in which they come up.
std::vector<ConfigDifference> differences(const std::vector<std::vector<TomlItem>>& configs);

}  // namespace uvic
