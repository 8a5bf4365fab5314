// config.json of CLIP, BERT and an autoencoder, whose weights are other ones.
#include "encoders/autoencoder_kl.h"
#include "encoders/clip.h"
#include "encoders/text_encoder.h"
#include "tests/encoders/random_clip.h"
#include "tests/fuzz/fuzz.h"

namespace uvic::fuzz {
namespace {

template <class F>
void read(const F& load) {
  try {
    load(folder() / "network");
  } catch (const Error&) {
  }
}

}  // namespace
}  // namespace uvic::fuzz

FUZZ(bytes) {
  static const bool written = [] {
    write_clip(folder() / "network", random_clip_weights());
    std::filesystem::copy_file(folder() / "network/model.safetensors",
                               folder() / "network/diffusion_pytorch_model.safetensors");
    return true;
  }();
  TORCH_CHECK(written);
  put("network/config.json", bytes);
  read([](const auto& path) { load_text_encoder(path); });
  read([](const auto& path) { load_clip_model(path); });
  read([](const auto& path) { load_autoencoder(path); });
}
