// Procedural scenes of one or two coloured shapes with a truthful caption each: the data set that needs no download.
#pragma once

#include <memory>

#include "datasets/dataset.h"

namespace uvic {

// Image i is a pure function of (seed, split, i), the same scene at any size. Options besides the common ones:
// seed (0), count (20000 for train, 2000 for test), figures (2: the most in a scene; 1). The default size is 32.
std::shared_ptr<const Dataset> open_shapes(const Spec& spec, const CommonOptions& options);

}  // namespace uvic
