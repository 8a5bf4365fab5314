// Pictures and captions as frozen networks see them: moments of an autoencoder's latents, states of a text encoder.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "datasets/dataset.h"

namespace uvic {

class LatentDataset : public Dataset {
 public:
  virtual int64_t channels() const = 0;  // of a latent; image_size() is its side
  // Mean and log-variance of the latent of image `index`: [2 channels, side, side] float32, not scaled.
  virtual Tensor moments(int64_t index) const = 0;
  virtual int64_t caption_count(int64_t index) const = 0;
  virtual Tensor context(int64_t index, int64_t caption) const = 0;  // its states: [N, D] float32
  virtual Tensor null_context() const = 0;                           // of the empty prompt
  // What made them, as fingerprint() names it, and the scale that the autoencoder brings along; "" and nothing if
  // unknown.
  virtual std::string autoencoder() const { return ""; }
  virtual std::optional<double> scale() const { return std::nullopt; }

  Tensor images(std::span<const int64_t> indices) const final;  // Error: there are no pixels
};

// latents:PATH, where PATH is a folder that `uvic encode` wrote, or the features of U-ViT's extract_mscoco_feature.py:
// i.npy (moments of image i), i_k.npy (states of its caption k) and empty_context.npy, there or one folder above, in
// train/ and val/ or without them. Option size, if given, must be the side of the latents. Everything stays on disk and
// is read (the cache: mapped) when it is asked for. Error for an unfinished cache, missing files, wrong shapes.
std::shared_ptr<const Dataset> open_latents(const Spec& spec, const CommonOptions& options);

}  // namespace uvic
