// Instruction sets without kernels: no reader computes with a network, and the kernels take long to build.
#include "unet_vit/kernels/isa.h"

#include "core/error.h"

namespace uvic {

std::span<const Entry<KernelIsa>> all_kernel_isas() {
  return {};
}

const Entry<KernelIsa>& default_kernel_isa() {
  fail("no kernels");
}

}  // namespace uvic
