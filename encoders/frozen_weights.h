// From weights files to the parameters of a frozen network, without a copy.
#pragma once

#include <filesystem>
#include <string>

#include "core/formats/safetensors.h"
#include "core/parameters.h"
#include "core/tensor.h"

namespace uvic::frozen {

void move(const VisitParameters& parameters, at::Device device);

// Each parameter becomes the tensor of its name, which stays where it is. Error unless names and shapes agree both ways
// and all numbers are finite; `origin` names the file, `remedy` says what to do.
void adopt(const VisitParameters& parameters, const TensorMap& source, const std::string& origin,
           std::string_view remedy);

// The weights in a folder as Hugging Face's libraries write them: model.safetensors, its index of shards,
// pytorch_model.bin, or the same named diffusion_pytorch_model. Error if there are none; `what` names the network.
std::filesystem::path find_weights(const std::filesystem::path& folder, std::string_view what);

}  // namespace uvic::frozen
