// CRC-32C (Castagnoli), the checksum of TensorBoard's and of our own files.
#pragma once

#include <cstdint>
#include <string_view>

namespace uvic {

// Of `bytes` behind those whose sum is `before`: crc32c(ab) = crc32c(b, crc32c(a)).
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace uvic
