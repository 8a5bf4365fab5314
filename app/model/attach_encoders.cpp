#include "app/model/model.h"
#include "core/error.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

void attach_text(Model& model, const std::string& folder) {
  const UVitConfig& config = model.net.config();
  const DataConfig& data = model.card.config.data;
  if (!reads_text_states(config))
    fail("{} {}: --text does not apply to it", model.path.string(),
         config.context_tokens > 0 ? "knows words of its own" : "was trained without text");
  auto text = load_text_encoder(folder);
  // Captions of latents were read at the encoder's full length, those of pictures at the length the model was given.
  const bool fits = data.text_encoder.empty() ? text->most_tokens() == config.context_tokens
                                              : text->most_tokens() >= config.context_tokens;
  if (!fits || text->width() != config.context_dim)
    fail("{} gives {} states of width {}, {} was trained on {} of width {}: it needs another text encoder", folder,
         text->most_tokens(), text->width(), model.path.string(), config.context_tokens, config.context_dim);
  const std::string& wanted = model.card.text_encoder;
  if (!wanted.empty() && fingerprint(*text) != wanted)
    fail("{} was trained with another text encoder than {}: give the folder of its own, {}, with --text",
         model.path.string(), folder, data.text_encoder);
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
  const std::string& own_text = model.card.config.data.text_encoder;
  if (!files.text.empty())
    attach_text(model, files.text);
  else if (!own_text.empty() && !model.text && reads_text_states(model.net.config()))
    attach_text(model, own_text);
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
