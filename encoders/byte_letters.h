// The printable character that stands for each byte in the files of byte-level tokenizers.
#pragma once

#include <array>
#include <string>

namespace uvic {

// UTF-8. Printable Latin-1 stands for itself, the other 68 bytes are U+0100 on, in order.
const std::array<std::string, 256>& byte_letters();

// The bytes in the order of CLIP's vocabulary: those that stand for themselves, then the others.
const std::array<unsigned char, 256>& bytes_in_order();

}  // namespace uvic
