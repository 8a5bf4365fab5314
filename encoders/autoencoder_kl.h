// The autoencoder of latent diffusion (Rombach et al., arXiv 2112.10752): pictures to latents of an eighth of the side,
// with a Gaussian for each, and back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/parameters.h"
#include "encoders/autoencoder_config.h"
#include "encoders/autoencoder_names.h"
#include "encoders/frozen_weights.h"
#include "transformer/frozen.h"

namespace uvic {

class AutoencoderKl {
 public:
  // Shapes without weights.
  explicit AutoencoderKl(AutoencoderConfig config);
  // The layout is read from the weights, whose names are a row of autoencoder_names(); they are not copied. "loss.*",
  // what training kept beside them, does not count. `origin` names them in errors.
  AutoencoderKl(TensorMap weights, const std::string& origin, int64_t groups = 32,
                std::optional<double> scale = std::nullopt);

  // [B, 3, H, W] float in [-1, 1], sides a multiple of factor() -> moments [B, 2 embed_dim, H / factor, W / factor].
  Tensor encode(const Tensor& images) const;
  // The encoder alone, before the last 1 x 1 convolution.
  Tensor encoder(const Tensor& images) const;
  // Latents [B, embed_dim, h, w] as encode gives them (not scaled) -> images in about [-1, 1].
  Tensor decode(const Tensor& latents) const;

  int64_t factor() const { return int64_t{1} << (config_.channels.size() - 1); }
  const AutoencoderConfig& config() const { return config_; }
  Parameters parameters() const;  // under the names of diffusers, whatever they were called in the file
  void to(at::Device device);

 private:
  struct ResBlock {
    frozen::GroupNorm norm1, norm2;
    frozen::Conv conv1, conv2;
    std::optional<frozen::Conv> shortcut;
    Tensor operator()(const Tensor& x) const;
  };
  struct Attention {
    frozen::GroupNorm norm;
    frozen::Linear q, k, v, out;
    Tensor operator()(const Tensor& x) const;
  };
  struct Level {
    std::vector<ResBlock> blocks;
    std::vector<Attention> attention;  // one behind each block, or none
    std::optional<frozen::Conv> resample;
    Tensor operator()(Tensor x) const;  // without the resampling
  };
  struct Half {  // encoder or decoder
    frozen::Conv conv_in, conv_out;
    ResBlock mid_block1, mid_block2;
    Attention mid_attention;
    frozen::GroupNorm norm_out;
    std::vector<Level> levels;  // the highest resolution first
    Tensor middle(const Tensor& x) const;
    Tensor finish(const Tensor& x) const;
  };
  frozen::GroupNorm make_norm(int64_t channels) const;
  ResBlock make_block(int64_t in, int64_t out) const;
  Attention make_attention(int64_t channels) const;
  Half make_half(int64_t in, int64_t out) const;
  void visit(const AutoencoderNames& names, const EachParameter& each);

  AutoencoderConfig config_;
  Half encoder_, decoder_;
  frozen::Conv quant_conv_, post_quant_conv_;
};

// A latent from its moments: mean + exp(logvar / 2) noise, with logvar in [-30, 20].
Tensor sample_latent(const Tensor& moments, const Tensor& noise);

// A .pth or .safetensors under any of the names, or a folder of diffusers (or the vae/ in it), whose config.json also
// tells the groups and the scale. Error that says what was expected.
AutoencoderKl load_autoencoder(const std::filesystem::path& path);

}  // namespace uvic
