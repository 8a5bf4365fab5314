// Adapters that were added to a model, as recipes name them.
#pragma once

#include <string>

namespace uvic {

struct AdapterUse {
  std::string name, hash;  // hash: first 10 digits of the file's SHA-256
  double weight = 1;

  bool operator==(const AdapterUse&) const = default;
};

}  // namespace uvic
