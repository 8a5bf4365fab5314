// The kernel of each pass, element type and head dimension.
#pragma once

#include "transformer/kernels/cuda/backward.h"
#include "transformer/kernels/cuda/forward.h"

namespace uvic::gpu {

// run(Kernel{}), where Kernel has blocks(arguments), kSharedBytes and run(arguments), which each thread of the grid
// calls.
template <class T, int D, class Run>
void with_pass(CogPass pass, const Run& run) {
  switch (pass) {
    case CogPass::kForward:
      return run(Forward<T, D>{});
    case CogPass::kRowDots:
      return run(RowDots<T, D>{});
    case CogPass::kQueryGradient:
      return run(Gradient<T, D, false>{});
    case CogPass::kKeyGradient:
      return run(Gradient<T, D, true>{});
  }
}

template <class T, class Run>
void with_head_dim(CogPass pass, int head_dim, const Run& run) {
  switch (head_dim) {  // kCogHeadDims
    case 32:
      return with_pass<T, 32>(pass, run);
    case 64:
      return with_pass<T, 64>(pass, run);
    case 80:
      return with_pass<T, 80>(pass, run);
    case 128:
      return with_pass<T, 128>(pass, run);
    default:
      return;
  }
}

template <class Run>
void with_kernel(CogPass pass, const CogArguments& a, const Run& run) {
  return a.element == Element::kBfloat16 ? with_head_dim<Bf16>(pass, a.head_dim, run)
                                         : with_head_dim<float>(pass, a.head_dim, run);
}

}  // namespace uvic::gpu
