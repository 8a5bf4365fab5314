// What the fuzz targets share. A target is FUZZ(bytes) { ... }: it reads the bytes, and nothing but an Error may come
// out.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/formats/safetensors.h"
#include "core/tensor.h"

namespace uvic::fuzz {

inline const std::filesystem::path& folder() {
  static const std::filesystem::path made = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "uvic-fuzz-XXXXXX").string();
    TORCH_CHECK(mkdtemp(pattern.data()) != nullptr, "cannot make a folder: ", pattern);
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return std::filesystem::path(pattern);
  }();
  return made;
}

// The file `name` in that folder, holding these bytes now.
inline std::filesystem::path put(const std::string& name, std::string_view bytes) {
  const std::filesystem::path path = folder() / name;
  std::filesystem::create_directories(path.parent_path());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  TORCH_CHECK(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  ::close(fd);
  return path;
}

// Looks at a byte of each cache line and at the last one, which a view of too little memory does not survive.
inline void look_at(const Tensor& tensor) {
  if (!tensor.defined()) return;
  const auto* bytes = static_cast<const uint8_t*>(tensor.storage().data());
  const size_t count = tensor.storage().nbytes();
  volatile uint8_t seen = count > 0 ? bytes[count - 1] : 0;
  for (size_t i = 0; i < count; i += 64) seen = bytes[i];
  TORCH_CHECK(tensor.numel() == 0 || tensor.contiguous().numel() == tensor.numel());
}

inline void look_at(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors) look_at(tensor);
}

}  // namespace uvic::fuzz

#define FUZZ(bytes)                                                         \
  namespace uvic::fuzz {                                                    \
  static void target(std::string_view bytes);                               \
  }                                                                         \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    try {                                                                   \
      uvic::fuzz::target({reinterpret_cast<const char*>(data), size});      \
    } catch (const uvic::Error&) {                                          \
    }                                                                       \
    return 0;                                                               \
  }                                                                         \
  static void uvic::fuzz::target(std::string_view bytes)
