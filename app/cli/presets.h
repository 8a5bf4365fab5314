// The presets, compiled into the program from presets/*.toml.
#pragma once

#include <span>

#include "core/registry.h"

namespace uvic {

std::span<const Entry<std::string_view>> presets();  // value: the TOML text

}  // namespace uvic
