#include "app/model/encoder_options.h"

#include "app/cli/checks.h"

namespace uvic {

void add_encoder_options(CLI::App& app, EncoderFiles& files) {
  app.add_option("--autoencoder", files.autoencoder,
                 "of a model of latents: autoencoder_kl.pth of U-ViT, or the vae folder of diffusers");
  app.add_option("--text", files.text,
                 "of a model of text states: the folder of its text encoder; default: the one it names");
  app.add_option("--latent-scale", files.latent_scale,
                 "factor of the latents; default: the model's own, else the autoencoder's")
      ->check(number<double>())
      ->check(at_least(kSmallestScale));
}

}  // namespace uvic
