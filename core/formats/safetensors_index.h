// Models cut into several safetensors files.
#pragma once

#include <filesystem>

#include "core/formats/safetensors.h"

namespace uvic {

// The tensors that an index ({"weight_map": {tensor: file}}, as Hugging Face's libraries write it beside the files)
// names, each file memory-mapped. Error unless every file holds exactly the tensors that the index puts there.
TensorFile read_sharded_safetensors(const std::filesystem::path& index);

}  // namespace uvic
