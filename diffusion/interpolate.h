// Between two noises.
#pragma once

#include "core/tensor.h"

namespace uvic {

// Along the great circle from a (mix 0) to b (mix 1), so that what lies between is as long as noise is; float32.
Tensor slerp(const Tensor& a, const Tensor& b, double mix);

}  // namespace uvic
