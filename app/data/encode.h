// A data set turned into a cache of latents (datasets/latent_cache.h).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "core/share.h"
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

// Makes the folder, or finds it; several processes may at once. Error if it holds something else, or a cache of other
// data or other networks.
void begin_cache(const std::filesystem::path& folder, const LatentIndex& wanted);

// What earlier calls encoded of these shards, each compared with its hash: one that is damaged is left out with a
// warning.
LatentShards encoded_before(const std::filesystem::path& folder, const Stretch& shards);

int64_t images_in(const LatentIndex& index, const Stretch& shards);
int64_t images_in(const LatentIndex& index, const LatentShards& shards);

// Called from any thread with the images that are done.
using OnEncoded = std::function<void(int64_t done)>;

// Encodes the share's shards but for those `done`; bit for bit the same however often it was interrupted, and on CPU
// with any number of threads. Which shards are done is kept in the part of a share, or without one in the index, as far
// as there is no gap. Returns how many captions were longer than the text encoder reads. Interrupted after Ctrl-C:
// complete shards stay.
int64_t encode_rest(const Dataset& data, const Encoders& encoders, const std::filesystem::path& folder,
                    LatentIndex index, const std::optional<Share>& share, LatentShards done,
                    const OnEncoded& on_encoded);

}  // namespace uvic
