// SHA-256 with OpenSSL, which uses the processor's own instructions for it.
#include <openssl/evp.h>

#include <array>

#include "core/error.h"
#include "core/files.h"

namespace uvic {

std::string sha256_of_bytes(std::string_view bytes) {
  std::array<unsigned char, 32> digest;
  const int done = EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  TORCH_CHECK(done == 1, "OpenSSL computes no SHA-256");
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::string sha256_of_file(const fs::path& path) {
  return sha256_of_bytes(map_file(path, "file").bytes());
}

}  // namespace uvic
