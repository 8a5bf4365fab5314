#include "app/training/latent_stream.h"

#include "core/random.h"
#include "datasets/stream_draws.h"
#include "encoders/autoencoder_kl.h"

namespace uvic {

BatchAt make_latent_stream(std::shared_ptr<const LatentDataset> data, const StreamConfig& config, double scale) {
  TORCH_CHECK(!config.flip && config.num_classes == 0, "latents can be neither flipped nor classified");
  return [data = std::move(data), config, scale](int64_t step) {
    std::vector<Tensor> latents, contexts;
    for (const auto& [item, index] : items_of_step(config, data->size(), step)) {
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

}  // namespace uvic
