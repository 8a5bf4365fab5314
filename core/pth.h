// PyTorch's .pth files (torch.save, zip and legacy format), read without Python and without running what is in them.
#pragma once

#include <filesystem>

#include "core/pickle.h"
#include "core/safetensors.h"

namespace uvic {

// The pickled value of the file, tensors rebuilt (any stride, offset, shared storage, dtype). A TorchScript archive (.pt)
// is recognised and its parameters and buffers are returned as a dict of name -> tensor.
PickleValue read_pth(const std::filesystem::path& path);

// The tensors of a state dict, whatever its wrapping: a bare one, or one under "state_dict", "model", "ema", "params".
// `module.` prefixes (DataParallel) are dropped. Error when the file holds no tensors.
TensorMap read_state_dict(const std::filesystem::path& path);

// A zip-format .pth that torch.load(weights_only=True) reads as an OrderedDict of tensors. Written atomically.
void write_pth(const std::filesystem::path& path, const TensorMap& tensors);

// Any weights file, by content rather than by name: .safetensors, .pth (zip, legacy), TorchScript .pt.
TensorFile read_weights(const std::filesystem::path& path);

}  // namespace uvic
