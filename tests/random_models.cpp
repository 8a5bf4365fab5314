// uvic-random-models DIR [--tiny]: a text-to-image model of random weights in the files users have: text/ (CLIP's text
// encoder and tokenizer), autoencoder.safetensors, uvit.pth and the config that the last one does not carry. At the
// true sizes of U-ViT-S/2 with CLIP ViT-L/14 and Stable Diffusion's autoencoder, or tiny ones for tests, and then also
// whole-clip/.
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "encoders/autoencoder_kl.h"
#include "tests/encoders/random_clip.h"
#include "unet_vit/uvit.h"

namespace uvic {
namespace {

struct Sizes {
  ClipTextConfig text;
  AutoencoderConfig autoencoder;
  UVitConfig uvit;
};

Sizes true_sizes() {
  Sizes sizes;
  sizes.text = {.hidden_size = 768, .intermediate_size = 3072, .num_attention_heads = 12};
  sizes.uvit.channels = 4;
  sizes.uvit.context_tokens = 77;
  sizes.uvit.context_dim = 768;
  return sizes;
}

Sizes tiny_sizes() {
  Sizes sizes;
  sizes.text = {.vocab_size = 520,
                .hidden_size = 32,
                .intermediate_size = 64,
                .num_hidden_layers = 2,
                .num_attention_heads = 2,
                .max_position_embeddings = 16};
  sizes.autoencoder.stem = 32;
  sizes.autoencoder.channels = {32, 32, 64};
  sizes.autoencoder.attention = {false, false, false};
  sizes.autoencoder.res_blocks = 1;
  sizes.uvit.size = "nano";
  sizes.uvit.image_size = 16;
  sizes.uvit.channels = 4;
  sizes.uvit.context_tokens = 16;
  sizes.uvit.context_dim = 32;
  return sizes;
}

void write(const fs::path& folder, const Sizes& sizes) {
  write_byte_pairs(folder / "text", byte_tokens());
  write_atomically(folder / "text/config.json", to_json(sizes.text).dump(2));
  const TensorMap text = random_weights(ClipText(sizes.text).parameters(), 1, at::kHalf);
  write_safetensors(folder / "text/model.safetensors", {text, {}});
  const TensorMap autoencoder = random_weights(AutoencoderKl(sizes.autoencoder).parameters(), 2, at::kBFloat16);
  write_safetensors(folder / "autoencoder.safetensors", {autoencoder, {}});
  UVit net(sizes.uvit, 3);
  write_pth(folder / "uvit.pth", to_map(net.parameters()));
  const UVitConfig& c = net.config();
  write_atomically(folder / "uvit.toml",
                   fmt::format("[model]\nsize = \"{}\"\nimage_size = {}\nchannels = {}\ncontext_tokens = {}\n"
                               "context_dim = {}\n[schedule]\nkind = \"scaled-linear\"\n[data]\ncondition = \"text\"\n"
                               "latent_scale = 0.2301\n[sample]\nsampler = \"dpm-solver++\"\ncfg_scale = 2\n",
                               c.size, c.image_size, c.channels, c.context_tokens, c.context_dim));
}

}  // namespace
}  // namespace uvic

int main(int argc, char** argv) {
  const bool tiny = argc == 3 && std::strcmp(argv[2], "--tiny") == 0;
  if (argc < 2 || argc > 3 || (argc == 3 && !tiny)) {
    fmt::print(stderr, "usage: uvic-random-models DIR [--tiny]\n");
    return 2;
  }
  try {
    uvic::write(argv[1], tiny ? uvic::tiny_sizes() : uvic::true_sizes());
    if (tiny) uvic::write_clip(uvic::fs::path(argv[1]) / "whole-clip", uvic::random_clip_weights());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
