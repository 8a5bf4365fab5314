#include "encoders/fingerprint.h"

#include <fmt/ranges.h>

#include "core/files.h"

namespace uvic {
namespace {

std::string describe(const Parameters& parameters) {
  std::string lines;
  for (const auto& [name, parameter] : to_map(parameters)) {
    const Tensor dense = parameter.cpu().contiguous();
    lines += fmt::format("{} {} {} {}\n", name, c10::toString(dense.scalar_type()), fmt::join(dense.sizes(), "x"),
                         sha256_of_bytes({static_cast<const char*>(dense.data_ptr()), dense.nbytes()}));
  }
  return lines;
}

}  // namespace

std::string fingerprint(const AutoencoderKl& autoencoder) {
  return sha256_of_bytes(fmt::format("groups {}\n{}", autoencoder.config().groups, describe(autoencoder.parameters())));
}

std::string fingerprint(const TextEncoder& text) {
  return sha256_of_bytes(text.settings() + describe(text.parameters()));
}

}  // namespace uvic
