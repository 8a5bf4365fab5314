#include "eval/feature_cache.h"

#include <charconv>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "eval/stats_shard.h"

namespace uvic {

FeatureCache::FeatureCache(fs::path file, std::map<std::string, std::string> notes, int64_t count, bool overwrite)
    : file_(std::move(file)), notes_(std::move(notes)), count_(count) {
  if (overwrite || !fs::exists(file_)) return;
  const FeatsFile before = read_feats(file_);
  if (!before.keys.defined())
    fail("{} exists, and does not say of which images: give --force to overwrite it", file_.string());
  for (const char* name : {"features", "weights", "resize", "protocol", kShardNote}) {
    const auto text = [&](const auto& all) {
      const auto found = all.find(name);
      return found == all.end() ? std::string() : found->second;
    };
    if (text(before.notes) != text(notes_))
      fail("{} exists, with {} '{}' instead of '{}': give --force to overwrite it", file_.string(), name,
           text(before.notes), text(notes_));
  }
  if (before.activations.features.defined()) parts_.push_back(before.activations);
  const Tensor keys = before.keys.contiguous();
  keys_.assign(keys.data_ptr<int64_t>(), keys.data_ptr<int64_t>() + keys.numel());
  for (const int64_t key : keys_) row_of_.emplace(key, rows_++);
  rows_before_ = rows_;
}

int64_t FeatureCache::key_of(std::string_view content) {
  uint64_t key = 0;
  const std::string hash = sha256_of_bytes(content);
  std::from_chars(hash.data(), hash.data() + 16, key, 16);
  return static_cast<int64_t>(key);
}

bool FeatureCache::needs(int64_t index, std::string_view content) {
  const int64_t key = key_of_image_[index] = key_of(content);
  const auto found = row_of_.find(key);
  return found == row_of_.end() || found->second >= rows_before_;
}

void FeatureCache::add(const Activations& batch, std::span<const int64_t> indices) {
  for (const auto member : {&Activations::logits, &Activations::spatial})
    if (!parts_.empty() && (parts_.front().*member).defined() != (batch.*member).defined())
      fail("{} holds not what the network says of an image: give --force to overwrite it", file_.string());
  parts_.push_back(batch);
  for (const int64_t index : indices) {
    keys_.push_back(key_of_image_.at(index));
    row_of_.emplace(keys_.back(), rows_++);
  }
}

void FeatureCache::save() {
  if (rows_ == 0) return;
  const auto begin = Clock::now();
  auto notes = notes_;
  notes["unfinished"] = fmt::format("{} of {} images", rows_, count_);
  parts_ = {concatenate(parts_)};
  write_feats(file_, {parts_.front(), at::tensor(keys_, at::kLong), {}, notes});
  saved_ = Clock::now();
  pause_ = std::max<Clock::duration>(pause_, 50 * (saved_ - begin));
}

void FeatureCache::save_now_and_then() {
  if (Clock::now() - saved_ > pause_) save();
}

int64_t FeatureCache::finish() {
  std::vector<int64_t> rows, keys, places;
  for (const auto& [index, key] : key_of_image_) {
    const auto found = row_of_.find(key);
    if (found == row_of_.end()) continue;
    rows.push_back(found->second);
    keys.push_back(key);
    places.push_back(index);
  }
  if (const size_t left = row_of_.size() - std::set(keys.begin(), keys.end()).size(); left > 0)
    log_line(fmt::format("{}: {} images that it had are not among these and are left out", file_.string(), left));
  const Tensor order = at::tensor(rows, at::kLong);
  Activations all = concatenate(parts_);
  for (const auto member : {&Activations::features, &Activations::logits, &Activations::spatial})
    if ((all.*member).defined()) all.*member = (all.*member).index_select(0, order);
  const bool is_shard = notes_.contains(kShardNote);
  write_feats(file_, {all, at::tensor(keys, at::kLong), is_shard ? at::tensor(places, at::kLong) : Tensor(), notes_});
  return static_cast<int64_t>(keys.size());
}

}  // namespace uvic
