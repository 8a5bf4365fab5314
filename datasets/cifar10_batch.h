// The two official file formats of a batch of CIFAR-10 images.
#pragma once

#include <string>
#include <string_view>

#include "core/tensor.h"

namespace uvic {

struct Cifar10Batch {
  Tensor pixels;  // [n, 3, 32, 32] uint8
  Tensor labels;  // [n] int64, 0 to 9
};

// Records of one label byte and 3072 pixel bytes (red, green, blue planes, rows first). `file` names the source in an
// Error: no whole number of records, a label above 9.
Cifar10Batch read_cifar10_binary(std::string_view bytes, const std::string& file);

// A pickled dict with "data" [n, 3072] uint8 and "labels", a list of n integers.
Cifar10Batch read_cifar10_python(std::string_view bytes, const std::string& file);

}  // namespace uvic
