// The safetensors format: 8 bytes little-endian header length, a JSON header, raw tensors. Nothing in a file is executed.
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
// Error names the file and the tensor.
TensorFile read_safetensors(const std::filesystem::path& path);

// Only the metadata: for `info`, without touching the tensors.
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path);

// Contiguous CPU copies, sorted names, data aligned to 64 bytes, atomically (core/files.h).
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace uvic
