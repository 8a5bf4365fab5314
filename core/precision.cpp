#include "core/precision.h"

namespace uvic {
namespace {

constexpr Entry<at::ScalarType> kPrecisions[] = {
    {"fp32", at::kFloat, "single precision throughout"},
    {"bf16", at::kBFloat16, "matrix products in bfloat16, weights and updates in float32"},
};

}  // namespace

std::span<const Entry<at::ScalarType>> precisions() {
  return kPrecisions;
}

}  // namespace uvic
