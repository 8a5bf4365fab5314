#include "app/cli/sample_config.h"

#include "core/precision.h"

namespace uvic {

std::vector<std::string> sampler_names() {
  return names_in(samplers());
}

std::vector<std::string> precision_names() {
  return names_in(precisions());
}

}  // namespace uvic
