// Checkpoints of the original Cogformer: {"model_cfg": sizes, "model": state dict} in a .pth.
#pragma once

#include <filesystem>
#include <string>

#include "core/formats/safetensors.h"
#include "core/pickle/pickle.h"
#include "lm/config.h"

namespace uvic {

// By the names of its tensors.
bool is_cogformer(const TensorMap& tensors);

// The sizes in a checkpoint of the original. Error, naming `origin`, if it has none, or one that no Cogformer of ours
// has.
LmConfig original_config(const PickleValue& checkpoint, const std::string& origin);

// As the original loads it: with its buffers, a table of angles for texts of at most `longest` tokens among them. Error
// for a model with memory, which the original has not.
void write_original(const std::filesystem::path& path, const LmConfig& config, TensorMap weights, int64_t longest);

}  // namespace uvic
