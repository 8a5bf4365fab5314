#include "app/model.h"
#include "core/error.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

void attach_text(Model& model, const std::string& folder) {
  const UVitConfig& config = model.net.config();
  if (!reads_text_states(config))
    fail("{} {}: --text does not apply to it", model.path.string(),
         config.context_tokens > 0 ? "knows words of its own" : "was trained without text");
  auto text = load_text_encoder(folder);
  // Latents' captions were read at the encoder's full length, a picture model's at the length it was given.
  const bool own_length = model.card.config.data.text_encoder.empty();
  const int64_t most = text->most_tokens();
  if (text->width() != config.context_dim ||
      (own_length ? most != config.context_tokens : most < config.context_tokens))
    fail("{} gives {} states of width {}, {} was trained on {} of width {}: it needs another text encoder", folder,
         most, text->width(), model.path.string(), config.context_tokens,
         config.context_dim);
  if (const std::string& wanted = model.card.text_encoder; !wanted.empty())
    if (const std::string hash = fingerprint(*text); hash != wanted)
      fail("{} was trained with the text encoder {} ({}), {} is {}: give that one with --text", model.path.string(),
           model.card.config.data.text_encoder, wanted.substr(0, 10), folder, hash.substr(0, 10));
  text->to(model.device);
  model.text = std::move(text);
}

void attach_autoencoder(Model& model, const std::string& path, double latent_scale) {
  const UVitConfig& config = model.net.config();
  auto autoencoder = std::make_unique<AutoencoderKl>(load_autoencoder(path));
  if (autoencoder->config().embed_dim != config.channels)
    fail("the latents of {} have {} channels, what {} draws has {}: they do not belong together", path,
         autoencoder->config().embed_dim, model.path.string(), config.channels);
  const double of_model = model.card.config.data.latent_scale;
  model.latent_scale = latent_scale > 0 ? latent_scale
                       : of_model > 0   ? of_model
                                        : autoencoder->config().scale.value_or(0);
  if (model.latent_scale == 0)
    fail(
        "neither {} nor {} says the scale of its latents: give --latent-scale (0.2301 for U-ViT's models of MS-COCO, "
        "0.18215 for Stable Diffusion's)",
        model.path.string(), path);
  autoencoder->to(model.device);
  model.autoencoder = std::move(autoencoder);
}

}  // namespace

bool reads_text_states(const UVitConfig& config) {
  return config.context_tokens > 0 && config.vocabulary == 0;
}

void attach_encoders(Model& model, const EncoderFiles& files) {
  if (!files.text.empty())
    attach_text(model, files.text);
  else if (!model.text && !model.card.config.data.text_encoder.empty() && reads_text_states(model.net.config()))
    attach_text(model, model.card.config.data.text_encoder);
  if (!files.autoencoder.empty()) {
    attach_autoencoder(model, files.autoencoder, files.latent_scale);
  } else if (files.latent_scale > 0) {
    if (!model.autoencoder) fail("--latent-scale is for models of latents: give their --autoencoder, too");
    model.latent_scale = files.latent_scale;
  }
}

int64_t picture_size(const Model& model) {
  return model.net.config().image_size * (model.autoencoder ? model.autoencoder->factor() : 1);
}

}  // namespace uvic
