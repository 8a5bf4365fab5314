// What one of several processes notes of its part of a cache of latents.
#include "datasets/latent_cache.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  static const bool written = [] {
    std::filesystem::create_directories(folder() / "latents");
    LatentIndex index{.data = "shapes", .captions = "", .autoencoder = "", .text = "", .scale = {}, .images = 8};
    index.shard_images = 2;
    write_latent_index(folder() / "latents", index);
    return true;
  }();
  TORCH_CHECK(written);
  put("latents/part-0-of-2.json", bytes);
  known_latent_shards(folder() / "latents");
}
