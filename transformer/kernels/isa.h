// The instruction sets for which the CPU kernels are compiled.
#pragma once

#include <vector>

#include "core/registry.h"
#include "transformer/kernels/kernel_table.h"

namespace uvic {

struct KernelIsa {
  const KernelTable* kernels;
  bool (*supported)();  // by this machine
};

// Every instruction set, slowest first, and those that this machine has.
std::span<const Entry<KernelIsa>> all_kernel_isas();
std::vector<Entry<KernelIsa>> kernel_isas();

// The fastest that this machine has, or the one that the environment's UVIC_ISA names. Error if it has none of that
// name.
const Entry<KernelIsa>& default_kernel_isa();

// default_kernel_isa() with the name as an argument; empty: the fastest.
const Entry<KernelIsa>& choose_kernel_isa(std::string_view name);

}  // namespace uvic
