// The index of a cache of latents.
#include "datasets/latent_cache.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  put("latents/index.json", bytes);
  read_latent_index(folder() / "latents");
}
