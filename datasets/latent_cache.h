// The folder that `uvic encode` writes: shards of moments and states, and an index that says what made them.
//
//   index.json          LatentIndex
//   null.safetensors    context [N, D]: of the empty prompt
//   00000.safetensors   moments [n, 2C, H, W], contexts [m, N, D] of all captions in turn; metadata "captions": JSON, a
//                       list of texts for each image
//   part-0-of-4.json    shards that one of several processes has made, while they are not in the index
//
// Shard k holds images k shard_images and on. The index names a shard once it is complete, so whatever it names can be
// used.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/formats/safetensors.h"
#include "core/share.h"
#include "datasets/latents.h"

namespace uvic {

struct LatentIndex {
  std::string data, captions;     // SPEC; SHA-256 of its captions
  std::string autoencoder, text;  // fingerprints
  std::optional<double> scale;    // that the autoencoder brings along
  int64_t images = 0, shard_images = 0;
  std::vector<std::string> shards;  // SHA-256 of the complete ones

  int64_t shard_count() const { return (images + shard_images - 1) / shard_images; }
};

bool is_latent_cache(const std::filesystem::path& folder);
LatentIndex read_latent_index(const std::filesystem::path& folder);  // Error if it is damaged
void write_latent_index(const std::filesystem::path& folder, const LatentIndex& index);

// The SHA-256 of complete shards by their numbers.
using LatentShards = std::map<int64_t, std::string>;
// Those that the index or a part names, but for the ones on which they disagree.
LatentShards known_latent_shards(const std::filesystem::path& folder);
void write_latent_part(const std::filesystem::path& folder, const Share& share, const LatentShards& shards);
void remove_latent_parts(const std::filesystem::path& folder);
// Once the parts and the index name all shards: the index of them, and no parts any more. Whether it came to that. Any
// number of processes may do it at once.
bool finish_latent_index(const std::filesystem::path& folder);

std::filesystem::path latent_shard_file(const std::filesystem::path& folder, int64_t shard);
std::filesystem::path null_context_file(const std::filesystem::path& folder);

struct LatentShardContent {
  Tensor moments, contexts;
  std::vector<std::vector<std::string>> captions;
};
void write_latent_shard(const std::filesystem::path& file, const LatentShardContent& content);

// limit 0: all images. Error unless the cache is complete and its parts fit together.
std::shared_ptr<const LatentDataset> open_latent_cache(const std::filesystem::path& folder, int64_t limit);

}  // namespace uvic
