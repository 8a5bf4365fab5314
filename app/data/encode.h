// A data set turned into a cache of latents (datasets/latent_cache.h).
#pragma once

#include <filesystem>
#include <functional>

#include "core/tensor.h"
#include "datasets/dataset.h"
#include "datasets/latent_cache.h"
#include "encoders/autoencoder_kl.h"
#include "encoders/text_encoder.h"

namespace uvic {

struct Encoders {
  const AutoencoderKl& autoencoder;
  const TextEncoder& text;
  at::Device device;  // where both are
};

// What the cache of `data` by these networks says of itself, before anything is encoded. Error if they do not fit: a
// side that is no multiple of the autoencoder's factor, no captions at all.
LatentIndex describe_cache(const Dataset& data, const std::string& spec, const AutoencoderKl& autoencoder,
                           const TextEncoder& text, int64_t shard_images);

// Makes the folder, or finds how far an earlier call came: the index of the shards there, each compared with its hash.
// The first one that is damaged, and those behind it, are left out with a warning. Error if the folder holds something
// else, or a cache of other data or other networks.
LatentIndex begin_cache(const std::filesystem::path& folder, const LatentIndex& wanted);

// Called from any thread with the images that are done.
using OnEncoded = std::function<void(int64_t done)>;

// Encodes the shards that the index lacks; bit for bit the same however often it was interrupted, and on CPU with any
// number of threads. Returns how many captions were longer than the text encoder reads. Interrupted after Ctrl-C:
// complete shards stay.
int64_t encode_rest(const Dataset& data, const Encoders& encoders, const std::filesystem::path& folder,
                    LatentIndex index, const OnEncoded& on_encoded);

}  // namespace uvic
