// A model's parameters are plain tensors with the names of the original state dict, in the model's own order.
//
// The model structs list them through a visitor; nothing derives from a module class, so the forward passes read as
// their formulas and compile without LibTorch's heavy module headers.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/formats/safetensors.h"
#include "core/tensor.h"

namespace uvic {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

TensorMap to_map(const NamedTensors& tensors);

// Error that lists the missing, the unexpected and the wrongly shaped names, unless both have the same ones, or that
// names whole numbers where floating-point ones belong; `origin` names the file, `remedy` says what to do.
void expect_fit(const NamedTensors& target, const TensorMap& source, const std::string& origin,
                std::string_view remedy);

// Copies `source` into `target`, in place (dtype and device of the target). Strict both ways, as
// expect_fit.
void load_into(const NamedTensors& target, const TensorMap& source, const std::string& origin);

// A weight matrix inside a transformer block, where nearly all of the work is: [out, in], "..block..".
bool is_block_matrix(const std::string& name, const Tensor& parameter);

int64_t count_parameters(const NamedTensors& tensors);

// Before a network of so many parameters is made for them: Error unless the weights have a byte for each, however often
// their tensors show the same bytes. What is said about a file must not ask for more memory than the file can fill.
void expect_enough(int64_t parameters, const TensorMap& weights, const std::string& origin);

}  // namespace uvic
