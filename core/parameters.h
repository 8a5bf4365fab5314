// A model's parameters are plain tensors with the names of the original state dict, in the model's own order.
//
// The model structs list them through a visitor; nothing derives from a module class, so the forward passes read as
// their formulas and compile without LibTorch's heavy module headers.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/safetensors.h"
#include "core/tensor.h"

namespace uvic {

// What a parameter is to its network. How it is initialised, which optimizer takes it and in which type it may be
// stored follow from this.
enum class Role {
  kBlockMatrix,  // of a linear layer inside a transformer block, where nearly all of the work is: [out, in], or a bare
                 // [in, out]
  kMatrix,       // [out, in], of any other linear layer
  kConvolution,  // [out, in / groups, height, width]
  kEmbedding,    // [N, D], a table of which rows are looked up
  kToken,        // stands among the tokens or is added to them: a class token, positions
  kNorm,         // the scale of a norm
  kBias,         // of a layer of any kind
};

struct Parameter {
  std::string name;
  Tensor tensor;
  Role role;
};
using Parameters = std::vector<Parameter>;

// A network calls it for its parameters one by one, in order; it may put another tensor in the place of one.
using EachParameter = std::function<void(const std::string& name, Tensor& tensor, Role role)>;

// Of the function with which a network lists them.
using VisitParameters = std::function<void(const EachParameter& each)>;
Parameters list_parameters(const VisitParameters& visit);

TensorMap to_map(const Parameters& parameters);

// Error that lists the missing, the unexpected and the wrongly shaped names, unless both have the same ones, or that
// names whole numbers where floating-point ones belong; `origin` names the file, `remedy` says what to do.
void expect_fit(const Parameters& target, const TensorMap& source, const std::string& origin, std::string_view remedy);

// Copies `source` into `target`, the parameters of a network or the state of an optimizer, in place (dtype and device
// of the target). Strict both ways, as expect_fit.
void load_into(const Parameters& target, const TensorMap& source, const std::string& origin);
void load_into(const TensorMap& target, const TensorMap& source, const std::string& origin);

int64_t count_parameters(const Parameters& parameters);

// Before a network of so many parameters is made for them: Error unless the weights have a byte for each, however often
// their tensors show the same bytes. What is said about a file must not ask for more memory than the file can fill.
void expect_enough(int64_t parameters, const TensorMap& weights, const std::string& origin);

}  // namespace uvic
