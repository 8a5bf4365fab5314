// What the global names in PyTorch's pickles stand for: storages, tensors, parameters and TorchScript objects.
#pragma once

#include <functional>
#include <string>

#include "core/pickle/pickle.h"

namespace uvic {

// "FloatStorage" -> float32; UntypedStorage counts bytes. Error for unknown types.
at::ScalarType storage_dtype(const PickleGlobal& type);

// The names "torch.FloatStorage" or "torch.uint16" that torch.save uses for a dtype; empty if it has none.
std::string storage_name(at::ScalarType dtype);
std::string dtype_name(at::ScalarType dtype);

// Hooks for the pickles of torch.save and torch.jit.save. `persistent` turns a storage's id into a 1-D tensor.
// An object of a TorchScript class becomes a list [global, dict of its attributes].
PickleHooks torch_hooks(std::function<PickleValue(const PickleValue& id)> persistent);

// The tensors of a TorchScript module and its sub-modules as a dict of dotted name -> tensor; null for anything else.
std::shared_ptr<PickleDict> flatten_torchscript(const PickleValue& module);

}  // namespace uvic
