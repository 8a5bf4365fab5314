// Files of adapters: checkpoints of a run that trained some, and PEFT's.
#pragma once

#include <filesystem>
#include <string>

#include "app/model/adapter_config.h"
#include "app/model/model.h"

namespace uvic {

// The names of adapters without what PEFT puts in front of the network's.
TensorMap without_peft_prefix(TensorMap tensors);

struct AdapterFile {
  std::filesystem::path file;
  AdapterUse use;  // of weight 1
  TensorMap tensors;
  AdapterConfig config;     // rank 0: nothing says it, so that alpha is each matrix's rank
  std::string base_sha256;  // of what they were trained on; "": unknown
};

// Of a file, a PEFT folder, a run or a checkpoint. The config is adapter_config.json beside the file, else what the
// file itself says; without both a line tells that alpha is taken for the rank. Error if it holds no adapters.
AdapterFile read_adapter_file(const std::filesystem::path& path);

// "PATH" or "PATH:WEIGHT", read and added to the model.
void apply_adapters(Model& model, const std::string& argument);

// The adapters of a run as PEFT keeps them: adapter_model.safetensors and adapter_config.json in `folder`.
void write_peft_folder(const std::filesystem::path& folder, const TensorFile& adapters, const ModelCard& card);

}  // namespace uvic
