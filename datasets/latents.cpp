#include "datasets/latents.h"

#include "core/error.h"
#include "core/files.h"
#include "datasets/latent_cache.h"
#include "datasets/latent_features.h"

namespace uvic {

Tensor LatentDataset::images(std::span<const int64_t>) const {
  fail("{} holds latents and no pixels: it is for training; for pictures name the data it was made of", description());
}

std::shared_ptr<const Dataset> open_latents(const Spec& spec, const CommonOptions& options) {
  spec.expect_options({});
  const fs::path folder = spec.path;
  if (!fs::is_directory(folder))
    fail(
        "data '{}': there is no folder '{}': expected one that `uvic encode` wrote, or U-ViT's features (0.npy, "
        "0_0.npy, ...)",
        spec.text(), spec.path);
  std::shared_ptr<const LatentDataset> data;
  if (is_latent_cache(folder)) {
    if (options.split != "train")
      fail("data '{}': a cache holds one split: encode ?split={} into another folder", spec.text(), options.split);
    data = open_latent_cache(folder, options.limit);
  } else {
    data = open_latent_features(folder, options.split, options.limit);
  }
  if (options.size > 0 && options.size != data->image_size())
    fail("data '{}': its latents are {} wide, not {}: leave out ?size=, and set --model.image_size {}", spec.text(),
         data->image_size(), options.size, data->image_size());
  return data;
}

}  // namespace uvic
