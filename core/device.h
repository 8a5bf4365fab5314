// Where networks run.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace uvic {

// A name that device_name() takes; "cuda" is cuda:0. From then on float32 is float32 on GPUs too: LibTorch alone would
// round the factors of a convolution to TF32's 10 bits. Error if this build or machine has no such device.
at::Device parse_device(const std::string& text);

// What parse_device() looks up: as if `gpus` GPUs were found by a build with CUDA, or without.
at::Device find_device(const std::string& text, int64_t gpus, bool built_with_cuda);

// The most bytes that this process has held at once so far: all its memory on the CPU, that of tensors on a GPU, where
// there must have been some.
int64_t peak_memory(at::Device device);

// Bytes of main memory that can still be had without swapping, within the limit of a control group (a container's,
// say).
int64_t free_memory();

}  // namespace uvic
