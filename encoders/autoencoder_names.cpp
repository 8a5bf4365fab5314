#include "encoders/autoencoder_names.h"

namespace uvic {
namespace {

constexpr AutoencoderNames kDiffusers = {.down = "down_blocks.{}",
                                         .up = "up_blocks.{}",
                                         .block = "resnets.{}",
                                         .attention = "attentions.{}",
                                         .downsample = "downsamplers.0.conv",
                                         .upsample = "upsamplers.0.conv",
                                         .mid_block1 = "mid_block.resnets.0",
                                         .mid_attention = "mid_block.attentions.0",
                                         .mid_block2 = "mid_block.resnets.1",
                                         .norm_out = "conv_norm_out",
                                         .shortcut = "conv_shortcut",
                                         .attention_norm = "group_norm",
                                         .q = "to_q",
                                         .k = "to_k",
                                         .v = "to_v",
                                         .out = "to_out.0",
                                         .up_from_lowest = true,
                                         .conv_attention = false};

constexpr AutoencoderNames old_diffusers() {
  AutoencoderNames names = kDiffusers;
  names.q = "query";
  names.k = "key";
  names.v = "value";
  names.out = "proj_attn";
  return names;
}

constexpr AutoencoderNames kLdm = {.down = "down.{}",
                                   .up = "up.{}",
                                   .block = "block.{}",
                                   .attention = "attn.{}",
                                   .downsample = "downsample.conv",
                                   .upsample = "upsample.conv",
                                   .mid_block1 = "mid.block_1",
                                   .mid_attention = "mid.attn_1",
                                   .mid_block2 = "mid.block_2",
                                   .norm_out = "norm_out",
                                   .shortcut = "nin_shortcut",
                                   .attention_norm = "norm",
                                   .q = "q",
                                   .k = "k",
                                   .v = "v",
                                   .out = "proj_out",
                                   .up_from_lowest = false,
                                   .conv_attention = true};

constexpr Entry<AutoencoderNames> kNames[] = {
    {"diffusers", kDiffusers, "diffusers 0.15 and newer"},
    {"old-diffusers", old_diffusers(), "diffusers before, and most published Stable Diffusion folders"},
    {"ldm", kLdm, "latent-diffusion, Stable Diffusion, U-ViT's autoencoder_kl.pth"},
};

}  // namespace

std::span<const Entry<AutoencoderNames>> autoencoder_names() {
  return kNames;
}

const AutoencoderNames& diffusers_names() {
  return kNames[0].value;
}

const AutoencoderNames& names_of(const TensorMap& weights, const std::string& origin) {
  for (const auto& [name, names, summary] : kNames)
    if (weights.contains(fmt::format("decoder.{}.{}.weight", names.mid_attention, names.q))) return names;
  fail(
      "{} holds no autoencoder: expected the tensors of AutoencoderKL, under the names of latent-diffusion or "
      "diffusers",
      origin);
}

}  // namespace uvic
