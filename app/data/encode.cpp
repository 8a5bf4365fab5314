#include "app/data/encode.h"

#include <atomic>
#include <numeric>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/one_by_one.h"
#include "core/progress.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

std::string hash_captions(const Dataset& data) {
  std::string all;
  for (int64_t i = 0; i < data.size(); ++i) {
    for (const std::string& caption : data.captions(i)) all += caption + '\n';
    all += '\n';
  }
  if (all.size() == static_cast<size_t>(data.size())) fail("the data has no captions: {}", data.description());
  return sha256_of_bytes(all);
}

void expect_same(const fs::path& folder, const LatentIndex& found, const LatentIndex& wanted) {
  const auto compare = [&](const char* what, const std::string& theirs, const std::string& ours) {
    if (theirs != ours)
      fail("{} was encoded with another {} ({}, here {}): choose another --out, or give what it was begun with",
           folder.string(), what, theirs, ours);
  };
  constexpr size_t kShown = 10;
  compare("autoencoder", found.autoencoder.substr(0, kShown), wanted.autoencoder.substr(0, kShown));
  compare("text encoder", found.text.substr(0, kShown), wanted.text.substr(0, kShown));
  compare("data SPEC", found.data, wanted.data);
  compare("number of images", std::to_string(found.images), std::to_string(wanted.images));
  compare("set of captions", found.captions.substr(0, kShown), wanted.captions.substr(0, kShown));
  compare("--file-images", std::to_string(found.shard_images), std::to_string(wanted.shard_images));
}

class ShardEncoder {
 public:
  ShardEncoder(const Dataset& data, const Encoders& encoders, int64_t done, const OnEncoded& on_encoded)
      : data_(data), encoders_(encoders), on_encoded_(on_encoded), done_(done) {}

  LatentShardContent operator()(int64_t begin, int64_t count) {
    std::vector<int64_t> indices(count);
    std::iota(indices.begin(), indices.end(), begin);
    const Tensor images = to_float(data_.images(indices));
    LatentShardContent content;
    std::vector<std::string> texts;
    for (const int64_t index : indices) {
      content.captions.push_back(data_.captions(index));
      texts.insert(texts.end(), content.captions.back().begin(), content.captions.back().end());
    }
    content.contexts = contexts(texts);
    content.moments = each_apart(encoders_.device, count, [&](int64_t i) {
      stop_if_interrupted();
      const Tensor moments = encoders_.autoencoder.encode(images.narrow(0, i, 1).to(encoders_.device)).cpu();
      on_encoded_(++done_);
      return moments;
    });
    return content;
  }

  Tensor context(const std::string& text) const { return encoders_.text(text, encoders_.text.most_tokens()).cpu(); }
  int64_t cut() const { return cut_; }

 private:
  Tensor contexts(const std::vector<std::string>& texts) {
    const int64_t length = encoders_.text.most_tokens();
    if (texts.empty()) return at::empty({0, length, encoders_.text.width()}, at::kFloat);
    return each_apart(encoders_.device, std::ssize(texts), [&](int64_t i) {
      stop_if_interrupted();
      if (encoders_.text.tokens(texts[i], length).left_out > 0) ++cut_;
      return context(texts[i]);
    });
  }

  const Dataset& data_;
  const Encoders& encoders_;
  const OnEncoded& on_encoded_;
  std::atomic<int64_t> done_, cut_ = 0;
};

}  // namespace

LatentIndex describe_cache(const Dataset& data, const std::string& spec, const AutoencoderKl& autoencoder,
                           const TextEncoder& text, int64_t shard_images) {
  if (data.image_size() % autoencoder.factor() != 0)
    fail("the images of {} are {} pixels wide, the autoencoder takes multiples of {}: set ?size=", spec,
         data.image_size(), autoencoder.factor());
  LatentIndex index;
  index.data = spec;
  index.captions = hash_captions(data);
  index.autoencoder = fingerprint(autoencoder);
  index.text = fingerprint(text);
  index.scale = autoencoder.config().scale;
  index.images = data.size();
  index.shard_images = shard_images;
  return index;
}

namespace {

// Empty, or holding no more than an index that is being written, or was when its process was killed.
bool is_empty_cache(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  for (const auto& entry : fs::directory_iterator(folder))
    if (!entry.path().filename().string().starts_with("index.json.tmp")) return false;
  return true;
}

}  // namespace

void begin_cache(const fs::path& folder, const LatentIndex& wanted) {
  if (!fs::exists(folder) || is_empty_cache(folder)) write_latent_index(folder, wanted);
  if (!is_latent_cache(folder))  // asked last: another process may have just begun it
    fail("'{}' exists and is no cache of latents: choose another --out", folder.string());
  expect_same(folder, read_latent_index(folder), wanted);
}

LatentShards encoded_before(const fs::path& folder, const Stretch& shards) {
  LatentShards known = known_latent_shards(folder);
  std::erase_if(known, [&](const auto& shard) { return !shards.has(shard.first); });
  Progress progress("checking", std::ssize(known), "file");
  int64_t checked = 0;
  LatentShards good;
  for (const auto& [k, sha256] : known) {
    stop_if_interrupted();
    const fs::path file = latent_shard_file(folder, k);
    if (fs::exists(file) && sha256_of_file(file) == sha256)
      good.emplace(k, sha256);
    else
      warn(fmt::format("{} is not what was encoded: it is encoded again", file.string()));
    progress.update(++checked);
  }
  return good;
}

int64_t images_in(const LatentIndex& index, const Stretch& shards) {
  return std::min(shards.end * index.shard_images, index.images) -
         std::min(shards.begin * index.shard_images, index.images);
}

int64_t images_in(const LatentIndex& index, const LatentShards& shards) {
  int64_t images = 0;
  for (const auto& [k, _] : shards) images += images_in(index, Stretch{k, k + 1});
  return images;
}

namespace {

// Those before the first gap.
std::vector<std::string> beginning_of(const LatentShards& shards) {
  std::vector<std::string> beginning;
  for (const auto& [k, sha256] : shards)
    if (k == std::ssize(beginning)) beginning.push_back(sha256);
  return beginning;
}

}  // namespace

int64_t encode_rest(const Dataset& data, const Encoders& encoders, const fs::path& folder, LatentIndex index,
                    const std::optional<Share>& share, LatentShards done, const OnEncoded& on_encoded) {
  const at::NoGradGuard no_grad;
  ShardEncoder encode(data, encoders, images_in(index, done), on_encoded);
  write_safetensors(null_context_file(folder), {{{"context", encode.context("")[0]}}, {}});
  const Stretch shards = share.value_or(Share()).of(index.shard_count());
  for (int64_t k = shards.begin; k < shards.end; ++k) {
    if (done.contains(k)) continue;
    const fs::path file = latent_shard_file(folder, k);
    write_latent_shard(file, encode(k * index.shard_images, images_in(index, Stretch{k, k + 1})));
    done[k] = sha256_of_file(file);
    index.shards = beginning_of(done);
    share ? write_latent_part(folder, *share, done) : write_latent_index(folder, index);
  }
  if (!share) {
    index.shards = beginning_of(done);
    write_latent_index(folder, index);
    remove_latent_parts(folder);
  }
  return encode.cut();
}

}  // namespace uvic
