// The presets, compiled into the program from presets/*.toml.
#pragma once

#include <span>

#include "core/registry.h"

namespace uvic {

// Of image models and of language models; value: the TOML text.
std::span<const Entry<std::string_view>> presets();
std::span<const Entry<std::string_view>> lm_presets();

}  // namespace uvic
