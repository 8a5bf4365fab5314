// Network calls whose results depend neither on what is computed beside them nor on the number of threads.
#pragma once

#include <functional>

#include "core/tensor.h"

namespace uvic {

// Runs `count` independent network calls on one image (or text) each, several at once, each on one thread, and joins
// their results along the first dimension: matrix kernels may round differently for other batch sizes and thread
// counts, and Cog Attention amplifies that where a score changes its sign. Gradients are off. CPU only. `call` may
// throw.
Tensor one_by_one(int64_t count, const std::function<Tensor(int64_t i)>& call);

// Calls run(0) to run(count - 1) in the same way, for what has other results than one tensor each.
void each_on_one_thread(int64_t count, const std::function<void(int64_t i)>& run);

// As one_by_one for frozen networks, which take one image or text a call on any device.
Tensor each_apart(at::Device device, int64_t count, const std::function<Tensor(int64_t i)>& call);

}  // namespace uvic
