// The layout of an autoencoder from the names and shapes of its weights.
#include "encoders/autoencoder_config.h"
#include "core/error.h"

namespace uvic {

AutoencoderConfig infer_autoencoder_config(const TensorMap& weights, const AutoencoderNames& names,
                                           const std::string& origin) {
  const auto size = [&](const std::string& name, int64_t dim) {
    const auto found = weights.find(name);
    if (found == weights.end()) fail("{}: no tensor '{}'; these are not all weights of an autoencoder", origin, name);
    if (found->second.dim() != 4) fail("{}: tensor '{}' is not that of a convolution", origin, name);
    return found->second.size(dim);
  };
  const auto part = [&](int64_t level, std::string_view kind, int64_t index) {
    return fmt::format("encoder.{}.{}", fmt::format(fmt::runtime(names.down), level),
                       fmt::format(fmt::runtime(kind), index));
  };
  AutoencoderConfig config;
  config.stem = size("encoder.conv_in.weight", 0);
  config.in_channels = size("encoder.conv_in.weight", 1);
  config.out_channels = size("decoder.conv_out.weight", 0);
  config.z_channels = size("decoder.conv_in.weight", 1);
  config.embed_dim = size("post_quant_conv.weight", 1);
  config.double_z = size("encoder.conv_out.weight", 0) == 2 * config.z_channels;
  config.channels.clear();
  config.attention.clear();
  config.res_blocks = 0;
  while (weights.contains(part(0, names.block, config.res_blocks) + ".conv1.weight")) ++config.res_blocks;
  for (int64_t level = 0; weights.contains(part(level, names.block, 0) + ".conv1.weight"); ++level) {
    config.channels.push_back(size(part(level, names.block, 0) + ".conv1.weight", 0));
    config.attention.push_back(weights.contains(fmt::format("{}.{}.weight", part(level, names.attention, 0), names.q)));
  }
  if (config.channels.empty()) fail("{}: the encoder has no block: not the weights of an autoencoder", origin);
  return config;
}

}  // namespace uvic
