// The features that U-ViT's extract_mscoco_feature.py writes.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/latents.h"

namespace uvic {

// split: train or test (val/), of a folder that holds both. limit 0: all images.
std::shared_ptr<const LatentDataset> open_latent_features(const std::filesystem::path& folder, const std::string& split,
                                                          int64_t limit);

}  // namespace uvic
