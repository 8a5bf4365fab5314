// One shard of a cache of latents.
#include "datasets/latent_cache.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  static const bool written = [] {
    std::filesystem::create_directories(folder() / "latents");
    write_safetensors(null_context_file(folder() / "latents"), {{{"context", at::ones({2, 3})}}, {}});
    LatentIndex index{.data = "shapes", .captions = "", .autoencoder = "", .text = "", .scale = {}, .images = 2};
    index.shard_images = 2;
    index.shards = {std::string(64, '0')};
    write_latent_index(folder() / "latents", index);
    return true;
  }();
  TORCH_CHECK(written);
  put("latents/00000.safetensors", bytes);
  const auto data = open_latent_cache(folder() / "latents", 0);
  for (int64_t i = 0; i < data->size(); ++i) {
    look_at(data->moments(i));
    data->captions(i);
    for (int64_t k = 0; k < data->caption_count(i); ++k) look_at(data->context(i, k));
  }
}
