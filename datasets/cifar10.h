// CIFAR-10: 50,000 training and 10,000 test photos of 32 x 32 pixels in ten classes (Krizhevsky, 2009).
#pragma once

#include <memory>

#include "datasets/dataset.h"

namespace uvic {

// PATH is one of
// - cifar-10-batches-bin (or the folder it is in), or cifar-10-binary.tar.gz: the binary version;
// - cifar-10-batches-py (or the folder it is in), or cifar-10-python.tar.gz: the Python version;
// - a folder, .tar, .tar.gz or .zip of train/<class>/*.png and test/<class>/*.png (or JPEG).
// Held in memory as one uint8 tensor. A size other than 32 is resized as Pillow's LANCZOS does. The caption of a horse
// is "a photo of a horse". No options besides the common ones. Error for a missing, truncated or oversized batch, a
// label above 9, or a folder that is none of the above.
std::shared_ptr<const Dataset> open_cifar10(const Spec& spec, const CommonOptions& options);

}  // namespace uvic
