#include "datasets/latent_cache.h"

#include <fmt/ranges.h>

#include <regex>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"

namespace uvic {
namespace {

constexpr const char *kIndex = "index.json", *kFormat = "uvic-latents-1", *kCaptions = "captions";
constexpr int64_t kMostLatents = int64_t{1} << 40;
using ShardCaptions = std::vector<std::vector<std::string>>;

struct Shard {
  Tensor moments, contexts;
  std::vector<int64_t> first;  // context of each image, and one behind the last
  ShardCaptions captions;
};

ShardCaptions parse_captions(const TensorFile& file, const std::string& name) {
  const auto found = file.metadata.find(kCaptions);
  if (found == file.metadata.end()) fail("{} is no shard of latents: it has no captions in its metadata", name);
  ShardCaptions captions;
  const std::string what = name + ": the list of captions in its metadata";
  const nlohmann::json json = parse_json(found->second, what);
  if (!json.is_array()) fail("{} is damaged", what);
  for (const nlohmann::json& of_image : json) {
    if (!of_image.is_array()) fail("{} is damaged", what);
    captions.emplace_back();
    for (const nlohmann::json& caption : of_image) {
      if (!caption.is_string()) fail("{} is damaged", what);
      captions.back().push_back(caption);
    }
  }
  return captions;
}

Tensor float_tensor(const TensorFile& file, const char* key, int64_t dims, const std::string& name) {
  const auto found = file.tensors.find(key);
  if (found == file.tensors.end() || found->second.dim() != dims || found->second.scalar_type() != at::kFloat)
    fail("{}: expected '{}', float32 of {} dimensions: encode it again", name, key, dims);
  return found->second;
}

// All shards must look like the first; `null` is the context of the empty prompt.
Shard read_shard(const fs::path& path, int64_t images, const Tensor& null) {
  const std::string name = path.string();
  const TensorFile file = read_safetensors(path);
  Shard shard{
      float_tensor(file, "moments", 4, name), float_tensor(file, "contexts", 3, name), {0}, parse_captions(file, name)};
  for (const auto& texts : shard.captions)
    shard.first.push_back(shard.first.back() + static_cast<int64_t>(texts.size()));
  if (shard.moments.size(0) != images || std::ssize(shard.captions) != images)
    fail("{}: {} moments and {} lists of captions, the index says {} images: encode it again", name,
         shard.moments.size(0), shard.captions.size(), images);
  if (shard.contexts.size(0) != shard.first.back() || shard.contexts.sizes().slice(1) != null.sizes())
    fail("{}: contexts of shape {}, expected {} of {}: encode it again", name, fmt::join(shard.contexts.sizes(), " x "),
         shard.first.back(), fmt::join(null.sizes(), " x "));
  return shard;
}

class LatentCache final : public LatentDataset {
 public:
  LatentCache(const fs::path& folder, LatentIndex index, int64_t limit)
      : folder_(folder.string()),
        index_(std::move(index)),
        size_(limit > 0 ? std::min(limit, index_.images) : index_.images),
        null_(float_tensor(read_safetensors(null_context_file(folder)), "context", 2,
                           null_context_file(folder).string())) {
    for (int64_t begin = 0; begin < size_; begin += index_.shard_images) {
      const fs::path file = latent_shard_file(folder, std::ssize(shards_));
      shards_.push_back(read_shard(file, std::min(index_.shard_images, index_.images - begin), null_));
      const auto shape = shards_.back().moments.sizes().slice(1);
      if (shape != shards_.front().moments.sizes().slice(1) || shape[1] != shape[2] || shape[0] % 2 != 0)
        fail("{}: moments of shape {}, expected squares like those of the first shard: encode it again", file.string(),
             fmt::join(shape, " x "));
    }
  }

  int64_t size() const override { return size_; }
  int64_t image_size() const override { return shards_.front().moments.size(3); }
  int64_t channels() const override { return shards_.front().moments.size(1) / 2; }
  Tensor moments(int64_t index) const override { return shard(index).moments[index % index_.shard_images]; }
  std::vector<std::string> captions(int64_t index) const override {
    return shard(index).captions.at(index % index_.shard_images);
  }
  int64_t caption_count(int64_t index) const override {
    return std::ssize(shard(index).captions.at(index % index_.shard_images));
  }
  Tensor context(int64_t index, int64_t caption) const override {
    return shard(index).contexts[shard(index).first.at(index % index_.shard_images) + caption];
  }
  Tensor null_context() const override { return null_; }
  std::string autoencoder() const override { return index_.autoencoder; }
  std::optional<double> scale() const override { return index_.scale; }
  std::string description() const override {
    return fmt::format("latents:{}: {} latents of {} x {} x {}, captions as {} states of width {}, made of {}", folder_,
                       size_, channels(), image_size(), image_size(), null_.size(0), null_.size(1), index_.data);
  }

 private:
  const Shard& shard(int64_t index) const { return shards_.at(index / index_.shard_images); }

  std::string folder_;
  LatentIndex index_;
  int64_t size_;
  Tensor null_;
  std::vector<Shard> shards_;
};

}  // namespace

bool is_latent_cache(const fs::path& folder) {
  return fs::exists(folder / kIndex);
}

fs::path latent_shard_file(const fs::path& folder, int64_t shard) {
  return folder / fmt::format("{:05}.safetensors", shard);
}

fs::path null_context_file(const fs::path& folder) {
  return folder / "null.safetensors";
}

LatentIndex read_latent_index(const fs::path& folder) {
  const fs::path file = folder / kIndex;
  const nlohmann::json json = read_json(file, "index of latents");
  const std::string what = fmt::format("the index of latents {}", file.string());
  if (const std::string format = json_string(json, "format", what); format != kFormat)
    fail("{}: its format is {}, expected \"{}\"", file.string(), format, kFormat);
  LatentIndex index;
  index.data = json_string(json, "data", what);
  index.captions = json_string(json, "captions", what);
  index.autoencoder = json_string(json, "autoencoder", what);
  index.text = json_string(json, "text", what);
  if (!json.contains("scale") || !json["scale"].is_null()) index.scale = json_number(json, "scale", what);
  index.images = json_whole(json, "images", what, 1, kMostLatents);
  index.shard_images = json_whole(json, "shard_images", what, 1, kMostLatents);
  if (!json.contains("shards") || !json["shards"].is_array()) fail("{} has no list of \"shards\"", what);
  for (const nlohmann::json& shard : json["shards"]) index.shards.push_back(json_string(shard, "sha256", what));
  if (std::ssize(index.shards) > index.shard_count())
    fail("{} is damaged: {} shards of {} images for {} images", file.string(), index.shards.size(), index.shard_images,
         index.images);
  return index;
}

void write_latent_index(const fs::path& folder, const LatentIndex& index) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const std::string& sha256 : index.shards)
    shards.push_back(
        {{"file", latent_shard_file("", static_cast<int64_t>(shards.size())).string()}, {"sha256", sha256}});
  nlohmann::ordered_json json{
      {"format", kFormat},  {"data", index.data}, {"captions", index.captions}, {"autoencoder", index.autoencoder},
      {"text", index.text}, {"scale", nullptr},   {"images", index.images},     {"shard_images", index.shard_images},
      {"shards", shards}};
  if (index.scale) json["scale"] = *index.scale;
  write_atomically(folder / kIndex, json.dump(2) + "\n");
}

namespace {

std::vector<fs::path> latent_parts(const fs::path& folder) {
  static const std::regex pattern("part-[0-9]+-of-[0-9]+\\.json");
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(folder))
    if (std::regex_match(entry.path().filename().string(), pattern)) parts.push_back(entry.path());
  return parts;
}

// None if the part went into the index meanwhile.
LatentShards read_latent_part(const fs::path& part) {
  const std::string what = "the part of an encoding " + part.string();
  nlohmann::json json;
  try {
    json = read_json(part, "part of an encoding");
  } catch (const Error&) {
    if (!fs::exists(part)) return {};
    throw;
  }
  if (!json.contains("shards") || !json["shards"].is_array()) fail("{} has no list of \"shards\"", what);
  LatentShards shards;
  for (const nlohmann::json& shard : json["shards"])
    shards[json_whole(shard, "shard", what, 0, kMostLatents)] = json_string(shard, "sha256", what);
  return shards;
}

}  // namespace

LatentShards known_latent_shards(const fs::path& folder) {
  std::vector<LatentShards> sources;
  for (const fs::path& part : latent_parts(folder)) sources.push_back(read_latent_part(part));
  const LatentIndex index = read_latent_index(folder);  // after the parts, which go when it has all of them
  sources.emplace_back();
  for (const std::string& sha256 : index.shards) sources.back().emplace(std::ssize(sources.back()), sha256);
  LatentShards known;
  std::set<int64_t> unclear;
  for (const LatentShards& source : sources)
    for (const auto& [shard, sha256] : source)
      if (shard >= index.shard_count() || known.emplace(shard, sha256).first->second != sha256) unclear.insert(shard);
  std::erase_if(known, [&](const auto& shard) { return unclear.contains(shard.first); });
  return known;
}

void write_latent_part(const fs::path& folder, const Share& share, const LatentShards& shards) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [shard, sha256] : shards) list.push_back({{"shard", shard}, {"sha256", sha256}});
  write_atomically(folder / fmt::format("part-{}-of-{}.json", share.rank, share.size),
                   nlohmann::ordered_json{{"shards", list}}.dump(2) + "\n");
}

void remove_latent_parts(const fs::path& folder) {
  for (const fs::path& part : latent_parts(folder)) fs::remove(part);
}

bool finish_latent_index(const fs::path& folder) {
  const LatentShards known = known_latent_shards(folder);
  LatentIndex index = read_latent_index(folder);
  if (std::ssize(known) < index.shard_count()) return false;
  index.shards.clear();
  for (const auto& [_, sha256] : known) index.shards.push_back(sha256);
  write_latent_index(folder, index);
  remove_latent_parts(folder);
  return true;
}

void write_latent_shard(const fs::path& file, const LatentShardContent& content) {
  write_safetensors(
      file,
      {{{"moments", content.moments}, {"contexts", content.contexts}},
       {{kCaptions, nlohmann::json(content.captions).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}}},
      Checksum::kNone);  // the index has the SHA-256
}

std::shared_ptr<const LatentDataset> open_latent_cache(const fs::path& folder, int64_t limit) {
  LatentIndex index = read_latent_index(folder);
  if (const auto done = std::ssize(index.shards); done < index.shard_count())
    fail("latents:{} is not finished, {} of {} images are encoded: go on with the `uvic encode` that began it",
         folder.string(), done * index.shard_images, index.images);
  return std::make_shared<LatentCache>(folder, std::move(index), limit);
}

}  // namespace uvic
