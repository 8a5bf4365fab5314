// A folder that holds all a text-to-image model needs, laid out as diffusers does: model_index.json, transformer/ (the
// U-ViT with its card), vae/, text_encoder/, tokenizer/, scheduler/.
#pragma once

#include <filesystem>

#include "app/model/model.h"

namespace uvic {

bool is_bundle(const std::filesystem::path& path);
std::filesystem::path bundled_model(const std::filesystem::path& bundle);  // the U-ViT's weights
EncoderFiles bundled_encoders(const std::filesystem::path& bundle);        // those that are there

// The weights keep their types. The folder appears when it is complete; scheduler/ is left out, with a message, where
// diffusers has none. Error if the folder exists already; Interrupted after Ctrl-C.
void write_bundle(const std::filesystem::path& folder, const Model& model);

}  // namespace uvic
