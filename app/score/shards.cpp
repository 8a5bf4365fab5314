#include "app/score/shards.h"

#include <algorithm>
#include <unordered_map>

#include "app/score/run_network.h"
#include "core/error.h"
#include "core/files.h"
#include "eval/feats.h"
#include "eval/stats_shard.h"

namespace uvic {
namespace {

using Notes = std::map<std::string, std::string>;

constexpr const char *kSource = "source", *kSettings = "settings", *kCount = "count", *kImages = "images";

Share share_of(const std::string& file, const Notes& notes) {
  const auto note = notes.find(kShardNote);
  const auto share = note == notes.end() ? std::nullopt : share_in(note->second);
  if (!share) fail("{} is no shard: give what `uvic stats --shard` wrote", file);
  if (const auto part = notes.find("unfinished"); part != notes.end())
    fail("{} is unfinished, it has {}: go on with the `uvic stats` command that wrote it", file, part->second);
  return *share;
}

// All but which shard it is.
void expect_same_notes(const std::string& file, const Notes& notes, const std::string& first, const Notes& wanted) {
  Notes all = notes;
  all.insert(wanted.begin(), wanted.end());
  const auto text = [](const Notes& some, const std::string& name) {
    const auto found = some.find(name);
    return found == some.end() ? std::string() : found->second;
  };
  for (const auto& [name, _] : all)
    if (name != kShardNote && text(notes, name) != text(wanted, name))
      fail("{} does not go with {}: its {} is '{}', there it is '{}'; give shards of one command", file, first, name,
           text(notes, name), text(wanted, name));
}

void expect_all(const std::map<int64_t, std::string>& given, int64_t size) {
  std::string missing;
  for (int64_t rank = 0; rank < size; ++rank)
    if (!given.contains(rank)) missing += (missing.empty() ? "" : ", ") + Share{rank, size}.text();
  if (!missing.empty()) fail("shard {} is missing beside {}: give {} shards", missing, given.begin()->second, size);
}

// The files in the order of their ranks.
template <class File>
std::vector<File> read_shards(const std::vector<std::string>& paths, File (*read)(const fs::path&)) {
  std::map<int64_t, std::string> path_of;
  std::map<int64_t, File> file_of;
  std::optional<Share> first;
  Notes wanted;
  for (const std::string& path : paths) {
    File file = read(path);
    const Share share = share_of(path, file.notes);
    if (!first) first = share, wanted = file.notes;
    if (share.size != first->size)
      fail("{} is shard {}, {} one of {}: give shards of one command", path, share.text(), paths.front(), first->size);
    expect_same_notes(path, file.notes, paths.front(), wanted);
    if (const auto [there, is_new] = path_of.emplace(share.rank, path); !is_new)
      fail("{} is shard {}, and so is {}: give each shard once", path, share.text(), there->second);
    file_of.emplace(share.rank, std::move(file));
  }
  expect_all(path_of, first->size);
  std::vector<File> files;
  for (auto& [_, file] : file_of) files.push_back(std::move(file));
  return files;
}

Notes without_shard(Notes notes) {
  for (const char* name : {kShardNote, kSettings, kCount, kImages}) notes.erase(name);
  return notes;
}

Merged merge_statistics(const std::vector<std::string>& paths, const fs::path& out) {
  const std::vector<StatsShard> shards = read_shards(paths, read_stats_shard);
  FeatureStats stats;
  for (const StatsShard& shard : shards) shard.add_to(stats);
  const Gaussian all = stats.fit();
  Notes notes = without_shard(shards.front().notes);
  Notes of_shard = shards.front().notes;
  notes[kSource] = describe(notes[kSource], all.n, of_shard[kSettings]);
  write_gaussian(out, all, notes);
  return {all.n, all.mu.size(0), notes};
}

// Of images that repeat the first one counts, as in one process.
Merged merge_features(const std::vector<std::string>& paths, const fs::path& out) {
  const std::vector<FeatsFile> shards = read_shards(paths, read_feats);
  std::vector<Activations> parts;
  std::unordered_map<int64_t, int64_t> row_of;  // by key
  std::map<int64_t, int64_t> key_of;            // by place
  int64_t rows = 0;
  for (const FeatsFile& shard : shards) {
    parts.push_back(shard.activations);
    const Tensor places = shard.places.contiguous(), keys = shard.keys.contiguous();
    for (int64_t i = 0; i < keys.numel(); ++i, ++rows) {
      const int64_t key = keys.const_data_ptr<int64_t>()[i];
      row_of.emplace(key, rows);
      key_of.emplace(places.const_data_ptr<int64_t>()[i], key);
    }
  }
  if (std::ssize(key_of) < 2)
    fail("{} and the other shards hold the features of {}, a score needs 2", paths.front(),
         key_of.size() == 1 ? "1 image" : "no images");
  std::vector<int64_t> order, all_keys;
  for (const auto& [_, key] : key_of) {
    order.push_back(row_of.at(key));
    all_keys.push_back(key);
  }
  Activations all = concatenate(parts);
  const Tensor rows_in_order = at::tensor(order, at::kLong);
  for (const auto member : {&Activations::features, &Activations::logits, &Activations::spatial})
    if ((all.*member).defined()) all.*member = (all.*member).index_select(0, rows_in_order);
  const Notes notes = without_shard(shards.front().notes);
  write_feats(out, {all, at::tensor(all_keys, at::kLong), {}, notes});
  return {std::ssize(key_of), all.features.size(1), notes};
}

}  // namespace

Notes notes_of_shard(const Side& side, const Share& share) {
  return {{kShardNote, share.text()},
          {kSettings, settings_of(side)},
          {kCount, std::to_string(side.count)},
          {kImages, side.images->fingerprint()}};
}

int64_t write_statistics_shard(const fs::path& out, const Side& side, const FeatureNet& net, const Share& share,
                               const Notes& notes) {
  std::vector<Tensor> features = {at::empty({0, net.dims()}, at::kFloat)};
  std::vector<int64_t> batches;
  run_network(
      network_of(net), *side.images, side.count, part_of(*side.images, side.count, share), side.text,
      [&](const Activations& batch, std::span<const int64_t> indices) {
        features.push_back(batch.features);
        batches.push_back(std::ssize(indices));
      },
      {}, /*fewest=*/0);
  const Tensor all = at::cat(features);
  write_stats_shard(out, {all, at::tensor(batches, at::kLong), notes});
  return all.size(0);
}

Merged merge_shards(const std::vector<std::string>& shards, const fs::path& out) {
  return lower_extension(out) == ".feats" ? merge_features(shards, out) : merge_statistics(shards, out);
}

}  // namespace uvic
