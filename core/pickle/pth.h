// PyTorch's .pth files (torch.save, zip and legacy format), read without Python and without running what is in them.
#pragma once

#include <filesystem>

#include "core/formats/safetensors.h"
#include "core/pickle/pickle.h"

namespace uvic {

// The pickled value of the file, tensors rebuilt on the CPU (any stride, offset, shared storage, dtype). Storages of
// the zip format are views of the mapped file where they are aligned. A TorchScript archive (.pt) is recognised and its
// parameters and buffers are returned as a dict of dotted name -> tensor. Error if the file is of another kind (and
// which), truncated, damaged, or names a global that is not plain data.
PickleValue read_pth(const std::filesystem::path& path);

// The tensors of a state dict, whatever its wrapping: a bare one, or one under "ema", "model_ema", "state_dict",
// "model", "params" and the like, one in another (the first that is there), without the prefixes of wrappers
// (core/formats/weight_names.h). Error when the file holds no tensors.
TensorMap read_state_dict(const std::filesystem::path& path);

// A zip-format .pth that torch.load(weights_only=True) reads as an OrderedDict of tensors. Written atomically. Shared
// storages are written once each time; strides are not kept.
void write_pth(const std::filesystem::path& path, const TensorMap& tensors);

// The same as {"NAME": {its numbers and texts}, "model": the tensors}.
struct PthConfig {
  std::string name;
  std::vector<std::pair<std::string, std::variant<int64_t, double, std::string>>> values;
};
void write_pth(const std::filesystem::path& path, const TensorMap& tensors, const PthConfig& config);

// Any weights file, by content: .safetensors (or the .index.json of its shards), .pth (zip, legacy), TorchScript .pt,
// without the prefixes of wrappers. Error that says what else it seems to be (a web page, a git-lfs pointer, a folder).
TensorFile read_weights(const std::filesystem::path& path);

}  // namespace uvic
