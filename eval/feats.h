// .feats files: what a network said of every image of a set, so that metrics need not run it again.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "eval/features.h"

namespace uvic {

// A safetensors file (core/formats/safetensors.h) of float32: features [N, D], logits [N, classes], and spatial [N, S]
// if the network has them; its metadata are the notes, text by name.
struct FeatsFile {
  Activations activations;
  Tensor keys;    // [N] int64, a hash of what each image is made from; undefined if the file has none
  Tensor places;  // [N] int64, which image of all each row is of; only the file of a shard (stats_shard.h) has it
  std::map<std::string, std::string> notes;
};

// The tensors are views of the mapped file. Error if it is no such file, holds no features (a shard may hold none), or
// has rows that do not fit or numbers that are not finite.
FeatsFile read_feats(const std::filesystem::path& path);
void write_feats(const std::filesystem::path& path, const FeatsFile& file);  // atomically

}  // namespace uvic
