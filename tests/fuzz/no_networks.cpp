// Empty tables of what takes long to build and no reader computes with: kernels for the networks, and networks for
// scores.
#include "core/error.h"
#include "eval/features.h"
#include "transformer/kernels/isa.h"

namespace uvic {

std::span<const Entry<KernelIsa>> all_kernel_isas() {
  return {};
}

const Entry<KernelIsa>& default_kernel_isa() {
  fail("no kernels");
}

std::span<const Entry<LoadFeatureNet>> feature_nets() {
  return {};
}

}  // namespace uvic
