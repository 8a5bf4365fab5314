// Records of CIFAR-10.
#include "datasets/cifar10_batch.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  look_at(read_cifar10_binary(bytes, "batch").pixels);
}
