#include "core/formats/weight_names.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace uvic {
namespace {

// Averages first: of those that stand beside each other the first row is taken.
constexpr std::string_view kWrappers[] = {"ema_model.", "ema.", "module.", "_orig_mod.", "model.", "online_model."};
constexpr size_t kAverages = 2;
// Single numbers that averages keep beside the weights.
constexpr std::string_view kCounters[] = {"initted", "step", "n_averaged", "num_updates", "decay"};

bool is_counter(const std::string& name, const Tensor& tensor) {
  return tensor.numel() == 1 && std::ranges::count(kCounters, name) > 0;
}

// The wrapper to take off; empty: there is none, or names without one stand beside it.
std::string_view outer_wrapper(const TensorMap& tensors) {
  std::set<size_t> seen;
  for (const auto& entry : tensors) {
    const std::string& name = entry.first;
    const auto row =
        std::ranges::find_if(kWrappers, [&](std::string_view wrapper) { return name.starts_with(wrapper); });
    if (row != std::end(kWrappers))
      seen.insert(static_cast<size_t>(row - std::begin(kWrappers)));
    else if (!is_counter(name, entry.second))
      return {};
  }
  if (seen.empty() || (seen.size() > 1 && *seen.begin() >= kAverages)) return {};
  return kWrappers[*seen.begin()];
}

}  // namespace

TensorMap without_wrappers(TensorMap tensors) {
  for (std::string_view wrapper; !(wrapper = outer_wrapper(tensors)).empty();) {
    TensorMap inner;
    for (const auto& [name, tensor] : tensors)
      if (name.starts_with(wrapper)) inner[name.substr(wrapper.size())] = tensor;
    tensors = std::move(inner);
  }
  return tensors;
}

}  // namespace uvic
