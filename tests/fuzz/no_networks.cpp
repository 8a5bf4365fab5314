// No instruction sets and no feature networks: no reader computes with a network, and they take long to build.
#include "core/error.h"
#include "eval/features.h"
#include "unet_vit/kernels/isa.h"

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
