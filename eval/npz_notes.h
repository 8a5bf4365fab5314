// Text in an .npz that numpy reads without pickle: the array note_NAME holds its UTF-8 bytes as uint8.
#pragma once

#include <map>
#include <string>

#include "core/formats/npz.h"

namespace uvic {

void add_notes(TensorMap& arrays, const std::map<std::string, std::string>& notes);
std::map<std::string, std::string> notes_in(const TensorMap& arrays);

}  // namespace uvic
