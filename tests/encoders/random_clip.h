// A tiny whole CLIP of random weights, in the folder that users have.
#pragma once

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/formats/safetensors.h"
#include "encoders/byte_letters.h"
#include "encoders/clip.h"
#include "tests/random_weights.h"

namespace uvic {

// Every byte is a token; nothing is merged.
inline BytePairs byte_tokens() {
  BytePairs pairs;
  const auto add = [&](const std::string& token) {
    pairs.vocabulary.emplace(token, static_cast<int64_t>(pairs.vocabulary.size()));
  };
  for (const char* suffix : {"", "</w>"})
    for (const unsigned char byte : bytes_in_order()) add(byte_letters()[byte] + suffix);
  add("<|startoftext|>");
  add("<|endoftext|>");
  return pairs;
}

inline nlohmann::json random_clip_config() {
  return nlohmann::json::parse(
      R"({"model_type": "clip", "projection_dim": 16,
          "text_config": {"vocab_size": 520, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                          "num_attention_heads": 2, "max_position_embeddings": 77},
          "vision_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                            "image_size": 32, "patch_size": 8}})");
}

// Of a seed for which the images and captions of the tests are not at opposite sides, where every score is 0.
inline TensorMap random_clip_weights() {
  return random_weights(Clip(parse_clip_config(random_clip_config(), "config")).parameters(), 4);
}

inline void write_clip(const std::filesystem::path& folder, const TensorMap& weights) {
  write_byte_pairs(folder, byte_tokens());
  write_atomically(folder / "config.json", random_clip_config().dump(2));
  write_safetensors(folder / "model.safetensors", {weights, {}});
}

}  // namespace uvic
