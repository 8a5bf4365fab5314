#include "eval/stats_shard.h"

#include "core/error.h"
#include "core/formats/npz.h"
#include "eval/npz_notes.h"

namespace uvic {
namespace {

constexpr const char *kFeatures = "features", *kBatches = "batches";

Tensor array_of_shard(const TensorMap& arrays, const char* name, int64_t dims, at::ScalarType type,
                      const std::string& file) {
  const auto found = arrays.find(name);
  if (found == arrays.end() || found->second.dim() != dims || found->second.scalar_type() != type)
    fail("{}: expected '{}', {} of {} dimensions, as `uvic stats --shard` writes it", file, name, at::toString(type),
         dims);
  return found->second;
}

}  // namespace

void StatsShard::add_to(FeatureStats& stats) const {
  const Tensor lengths = batches.contiguous();
  int64_t begin = 0;
  for (int64_t i = 0; i < lengths.numel(); ++i) {
    const int64_t length = lengths.const_data_ptr<int64_t>()[i];
    stats.add(features.narrow(0, begin, length));
    begin += length;
  }
}

StatsShard read_stats_shard(const std::filesystem::path& path) {
  const TensorMap arrays = read_npz(path);
  const std::string file = path.string();
  StatsShard shard{{}, {}, notes_in(arrays)};
  if (!shard.notes.contains(kShardNote))
    fail("{} is no shard of statistics: give what `uvic stats --shard` wrote", file);
  shard.features = array_of_shard(arrays, kFeatures, 2, at::kFloat, file);
  shard.batches = array_of_shard(arrays, kBatches, 1, at::kLong, file);
  if (!is_finite(shard.features)) fail("{}: '{}' holds a non-finite number", file, kFeatures);
  const int64_t rows = shard.features.size(0);
  if (((shard.batches < 1) | (shard.batches > rows)).any().item<bool>() || shard.batches.sum().item<int64_t>() != rows)
    fail("{} is damaged: its '{}' do not add up to {} rows", file, kBatches, rows);
  return shard;
}

void write_stats_shard(const std::filesystem::path& path, const StatsShard& shard) {
  TensorMap arrays = {{kFeatures, shard.features}, {kBatches, shard.batches}};
  add_notes(arrays, shard.notes);
  write_npz(path, arrays);
}

void refuse_shard(const std::string& file, const std::map<std::string, std::string>& notes) {
  if (const auto found = notes.find(kShardNote); found != notes.end())
    fail("{} is shard {}: `uvic stats merge` makes of all of them what can be scored", file, found->second);
}

}  // namespace uvic
