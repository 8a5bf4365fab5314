// The names of an autoencoder's parameters in the files of different projects.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/formats/safetensors.h"
#include "core/registry.h"

namespace uvic {

// Levels, blocks and attentions are counted from 0 where a name has "{}".
struct AutoencoderNames {
  std::string_view down, up, block, attention, downsample, upsample;
  std::string_view mid_block1, mid_attention, mid_block2, norm_out, shortcut;
  std::string_view attention_norm, q, k, v, out;
  bool up_from_lowest;  // level 0 of the decoder is the lowest resolution, not the highest
  bool conv_attention;  // q, k, v, out are [C, C, 1, 1], not [C, C]
};

std::span<const Entry<AutoencoderNames>> autoencoder_names();

const AutoencoderNames& diffusers_names();  // as it writes them now

// The row whose names the weights have. Error if none; `origin` names the file.
const AutoencoderNames& names_of(const TensorMap& weights, const std::string& origin);

}  // namespace uvic
