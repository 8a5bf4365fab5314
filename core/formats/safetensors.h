// The safetensors format: 8 bytes little-endian header length, a JSON header, raw tensors. Nothing in a file is
// executed.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/tensor.h"

namespace uvic {

using TensorMap = std::map<std::string, Tensor>;  // sorted by name

struct TensorFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  // the header's "__metadata__"
};

// Memory-maps the file; the tensors are views of the (private, copy-on-write) mapping, which lives as long as they do.
// Every length, offset, shape and dtype is checked (overlaps, gaps, overflow, duplicate keys, absurd header sizes);
// Error names the file and the tensor. A tensor whose bytes are not aligned for its dtype is copied. Where the metadata
// has a checksum it is verified, and left out of what is returned.
TensorFile read_safetensors(const std::filesystem::path& path);

// Atomically (core/files.h), from any device and any strides. The header has sorted names; the data starts at a
// multiple of 64 bytes, wide dtypes first, so that every tensor is aligned although the format allows no gaps. Error if
// safetensors has no such dtype (complex, quantized). The checksum is a CRC-32C over header and data, in the metadata
// as "uvic.crc32c"; kNone is for files that are to be opened without being read.
enum class Checksum { kCrc32c, kNone };
void write_safetensors(const std::filesystem::path& path, const TensorFile& file,
                       Checksum checksum = Checksum::kCrc32c);

}  // namespace uvic
