#include "core/formats/base64.h"

#include <openssl/evp.h>

#include <limits>

#include "core/error.h"

namespace uvic {

std::string to_base64(std::string_view bytes) {
  TORCH_CHECK(bytes.size() < static_cast<size_t>(std::numeric_limits<int>::max()) / 2, "too many bytes for base64");
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string from_base64(std::string_view text, const std::string& origin) {
  const bool fits = text.size() % 4 == 0 && text.size() < static_cast<size_t>(std::numeric_limits<int>::max());
  std::string bytes(text.size() / 4 * 3 + 1, '\0');
  const int length =
      !fits ? -1
            : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                              reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length < 0) fail("{} is damaged: it is no base64", origin);
  // What fills up the last group counts as zeros.
  const auto fill = static_cast<size_t>(text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0);
  bytes.resize(static_cast<size_t>(length) - fill);
  return bytes;
}

}  // namespace uvic
