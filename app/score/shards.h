// `uvic stats` shared out to processes that need not talk to each other: each writes a shard, and one puts them
// together.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "app/score/side.h"
#include "core/share.h"

namespace uvic {

// What the notes of a shard's file say beside those of all: which one it is, and of what. Their "source" is as the
// command has it, without a number of images.
std::map<std::string, std::string> notes_of_shard(const Side& side, const Share& share);

// Computes and writes the shard as an .npz (eval/stats_shard.h). Returns how many images it has; with progress and
// warnings as run_network.
int64_t write_statistics_shard(const std::filesystem::path& out, const Side& side, const FeatureNet& net,
                               const Share& share, const std::map<std::string, std::string>& notes);

struct Merged {
  int64_t images = 0, dims = 0;
  std::map<std::string, std::string> notes;
};

// Makes of all shards, given in any order, the .npz or .feats file `out`, with the bytes that one process would have
// written. Error that names the file if one is no shard, is unfinished, is given twice, or is of other images, another
// network or other settings than the rest, and one that names the shards that are missing.
Merged merge_shards(const std::vector<std::string>& shards, const std::filesystem::path& out);

}  // namespace uvic
