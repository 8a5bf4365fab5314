// The types that matrix products can run in.
#pragma once

#include <span>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

// fp32 | bf16 (autocast: matrix products in bfloat16, weights and their updates in float32)
std::span<const Entry<at::ScalarType>> precisions();

}  // namespace uvic
