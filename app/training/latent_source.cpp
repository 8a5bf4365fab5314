#include "app/training/latent_source.h"

#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "datasets/stream_draws.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

void fit_scale(DataConfig& config, const LatentDataset& data) {
  if (config.latent_scale == 0) config.latent_scale = data.scale().value_or(0);
  if (config.latent_scale == 0)
    fail(
        "the scale of the latents is unknown: give --data.latent_scale (0.2301 for U-ViT's models of MS-COCO, "
        "0.18215 for Stable Diffusion's autoencoder otherwise)");
}

void expect_fit(const UVitConfig& model, const LatentDataset& data) {
  const int64_t tokens = data.null_context().size(0), width = data.null_context().size(1);
  if (model.context_tokens != tokens || model.context_dim != width)
    fail(
        "the captions of {} are {} states of width {}, the model takes {} of width {}: set --model.context_tokens {} "
        "and --model.context_dim {}",
        data.description(), tokens, width, model.context_tokens, model.context_dim, tokens, width);
}

void check_autoencoder(const RunConfig& config, const LatentDataset& data) {
  const std::string& path = config.output.autoencoder;
  if (path.empty()) {
    if (config.output.sample_every > 0)
      log_line(
          "no sample grids: these are latents, and --output.autoencoder, which makes pictures of them, is not given");
    return;
  }
  const std::string hash = fingerprint(load_autoencoder(path));
  if (!data.autoencoder().empty() && hash != data.autoencoder())
    fail("{} was made by the autoencoder {}, output.autoencoder {} is {}: give the one that made it", config.data.spec,
         data.autoencoder().substr(0, 10), path, hash.substr(0, 10));
}

// Another encoder than that of the captions says something else of the empty prompt.
void check_text(const OutputConfig& config, const LatentDataset& data) {
  if (config.prompts.empty() != config.text.empty())
    fail("output.prompts and output.text go together: the prompts of the grids, and the text encoder that reads them");
  if (config.text.empty()) return;
  if (config.autoencoder.empty())
    fail("output.prompts are for sample grids, which latents have with output.autoencoder only");
  constexpr double kRounding = 1e-3;
  const auto text = load_text_encoder(config.text);
  const Tensor of_data = data.null_context();
  if (of_data.size(0) != text->most_tokens() || of_data.size(1) != text->width() ||
      !at::allclose((*text)("", text->most_tokens())[0], of_data, kRounding, kRounding))
    fail("output.text {} is not the text encoder that {} was made with", config.text, data.description());
}

void fit_latents(RunConfig& config, const LatentDataset& data) {
  if (config.model.channels != data.channels())
    fail("the latents of {} have {} channels, the model takes {}: set --model.channels {}", config.data.spec,
         data.channels(), config.model.channels, data.channels());
  if (config.data.condition == "class") fail("data.condition is class, but latents have none: {}", data.description());
  if (!config.data.text_encoder.empty())
    fail("data.text_encoder: the captions of {} are states already; leave it empty", config.data.spec);
  if (config.data.flip)
    fail("data.flip: the latent of a mirrored picture is not the mirrored latent: encode mirrored pictures instead");
  if (config.eval.every > 0)
    fail("eval.every: latents have no pixels to score against; leave it 0, and score the model with `uvic fid`");
  fit_scale(config.data, data);
  if (config.data.condition == "text") expect_fit(config.model, data);
  check_autoencoder(config, data);
  check_text(config.output, data);
  config.model.classes = config.model.vocabulary = 0;  // the states are there
  if (config.data.condition == "none") config.model.context_tokens = 0;
}

// Caption 0 of image i, cyclically, in words and states.
std::function<Request(int64_t i)> state_requests(std::shared_ptr<const LatentDataset> data) {
  return [data = std::move(data)](int64_t i) {
    const int64_t index = i % data->size();
    Request request;
    request.context = request.negative_context = data->null_context();
    if (data->caption_count(index) == 0) return request;
    request.context = data->context(index, 0);
    if (const auto captions = data->captions(index); !captions.empty()) request.prompt = captions.front();
    return request;
  };
}

}  // namespace

BatchAt make_latent_stream(std::shared_ptr<const LatentDataset> data, const StreamConfig& config, double scale) {
  TORCH_CHECK(!config.flip && config.num_classes == 0, "latents can be neither flipped nor classified");
  return [data = std::move(data), config, scale](Items items) {
    std::vector<Tensor> latents, contexts;
    for (const auto& [item, index] : stream_items(config, data->size(), items)) {
      const Tensor moments = data->moments(index).unsqueeze(0);
      at::Generator generator = make_generator(config.seed, Stream::kLatent, item);
      const Tensor eps = at::randn(moments.chunk(2, 1)[0].sizes(), generator, at::kFloat);
      latents.push_back(sample_latent(moments, eps) * scale);
      if (config.context_tokens == 0) continue;
      const int64_t captions = data->caption_count(index);
      contexts.push_back(captions == 0 || is_dropped(config, item)
                             ? data->null_context()
                             : data->context(index, draw_caption(config, item, captions)));
    }
    Batch batch;
    batch.x = at::cat(latents);
    if (!contexts.empty()) batch.condition.context = at::stack(contexts);
    return batch;
  };
}

TrainingSource source_of_latents(RunConfig& config, std::shared_ptr<const Dataset> data,
                                 const std::optional<Vocabulary>&) {
  const auto latents = std::dynamic_pointer_cast<const LatentDataset>(data);
  TORCH_CHECK(latents, "no latents: ", data->description());
  fit_latents(config, *latents);
  TrainingSource source{.batch_at = make_latent_stream(latents, stream_config(config), config.data.latent_scale),
                        .request = [](int64_t) { return Request(); }};
  if (config.model.context_tokens > 0) source.request = state_requests(latents);
  return source;
}

}  // namespace uvic
