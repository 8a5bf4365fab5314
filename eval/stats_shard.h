// A shard of statistics: the features that one of several processes computed, to be summed up with those of the others.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "eval/stats.h"

namespace uvic {

constexpr const char* kShardNote = "shard";  // "0/4"; only files of shards have it

// Sums of floating-point numbers depend on their order, so a shard keeps not moments but what they are made of, in the
// batches in which one process would add it: adding the shards' in turn gives the bits of one process. That is 4 D
// bytes an image, of Inception 8 KB; moments alone would be 32 MB.
//
// As an .npz: features [n, D] float32, batches [k] int64, and notes as in statistics.
struct StatsShard {
  Tensor features;
  Tensor batches;  // how many rows each batch has
  std::map<std::string, std::string> notes;

  void add_to(FeatureStats& stats) const;
};

// The features are a view of the mapped file. Error if it is no such file or damaged.
StatsShard read_stats_shard(const std::filesystem::path& path);
void write_stats_shard(const std::filesystem::path& path, const StatsShard& shard);  // atomically

// Error if the notes are those of a shard: it is no set of images to be scored.
void refuse_shard(const std::string& file, const std::map<std::string, std::string>& notes);

}  // namespace uvic
