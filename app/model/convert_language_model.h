// Language models between the original's files and ours.
#pragma once

#include <filesystem>
#include <string>

#include "core/formats/safetensors.h"

namespace uvic {

// Weights of a Cogformer read from `file`, written to `target` by its ending: .safetensors with the card that uvic
// needs, or .pth as the original loads it. What has no card yet takes `tokenizer`, a tokenizer.model, and the sizes in
// the original's .pth. Error if something is missing or does not fit. -> the parameters.
TensorMap convert_language_model(const std::filesystem::path& file, TensorFile weights,
                                 const std::filesystem::path& target, const std::string& tokenizer);

}  // namespace uvic
