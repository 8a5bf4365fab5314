#include "app/cli/sample_config.h"

#include "core/precision.h"

namespace uvic {
namespace {

template <class T>
std::vector<std::string> names_in(std::span<const Entry<T>> table) {
  std::vector<std::string> all;
  for (const auto& entry : table) all.emplace_back(entry.name);
  return all;
}

}  // namespace

std::vector<std::string> sampler_names() {
  return names_in(samplers());
}

std::vector<std::string> precision_names() {
  return names_in(precisions());
}

}  // namespace uvic
