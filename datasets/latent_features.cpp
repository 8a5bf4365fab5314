#include "datasets/latent_features.h"

#include <fmt/ranges.h>

#include <charconv>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/npz.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

constexpr const char* kNull = "empty_context.npy";

fs::path find_split(const fs::path& folder, const std::string& split) {
  const bool has_splits = fs::is_directory(folder / "train") || fs::is_directory(folder / "val");
  if (!has_splits && split == "train") return folder;
  const fs::path part = folder / (split == "train" ? "train" : "val");
  if (!fs::is_directory(part)) fail("latents:{} has no folder {}", folder.string(), part.filename().string());
  return part;
}

fs::path find_null(const fs::path& folder) {
  const fs::path above = fs::absolute(folder).lexically_normal().parent_path();
  for (const fs::path& place : {folder, above})
    if (fs::exists(place / kNull)) return place / kNull;
  fail(
      "latents:{} has no {}, the context of the empty prompt, there or one folder above: U-ViT's "
      "extract_empty_feature.py makes it",
      folder.string(), kNull);
}

// The number that all of `text` is.
std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// How many captions each image has, from the names of the files; -1: no such image.
std::vector<int64_t> count_captions(const fs::path& folder) {
  std::vector<int64_t> moments, captioned;
  for (const auto& entry : fs::directory_iterator(folder)) {
    stop_if_interrupted();
    if (entry.path().extension() != ".npy") continue;
    const std::string stem = entry.path().stem().string();
    const size_t line = stem.find('_');
    const auto image = number(std::string_view(stem).substr(0, line));
    if (!image) continue;
    if (line == std::string::npos)
      moments.push_back(*image);
    else if (number(std::string_view(stem).substr(line + 1)))
      captioned.push_back(*image);
  }
  std::vector<int64_t> counts(moments.size(), -1);
  for (const int64_t image : moments)
    if (image < std::ssize(counts)) counts[image] = 0;
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] < 0)
      fail("latents:{}: {}.npy is missing, though there are {} images", folder.string(), i, counts.size());
  for (const int64_t image : captioned) {
    if (image >= std::ssize(counts)) fail("latents:{}: {}_*.npy belong to no {}.npy", folder.string(), image, image);
    ++counts[image];
  }
  if (counts.empty())
    fail("latents:{}: neither a cache of `uvic encode` (index.json) nor U-ViT's features (0.npy)", folder.string());
  return counts;
}

class LatentFeatures final : public LatentDataset {
 public:
  LatentFeatures(const fs::path& folder, int64_t limit)
      : folder_(folder), counts_(count_captions(folder)), null_(read_npy(find_null(folder)).to(at::kFloat)) {
    if (limit > 0 && limit < std::ssize(counts_)) counts_.resize(limit);
    const Tensor first = read_npy(folder_ / "0.npy");
    if (null_.dim() != 2) fail("{}: {} dimensions, expected tokens x width", find_null(folder).string(), null_.dim());
    if (first.dim() != 3 || first.size(0) % 2 != 0 || first.size(1) != first.size(2))
      fail("{}: shape {}, expected the moments of a square latent, such as 8 x 32 x 32", (folder_ / "0.npy").string(),
           fmt::join(first.sizes(), " x "));
    shape_ = first.sizes().vec();
  }

  int64_t size() const override { return std::ssize(counts_); }
  int64_t image_size() const override { return shape_[2]; }
  int64_t channels() const override { return shape_[0] / 2; }
  Tensor moments(int64_t index) const override { return read(fmt::format("{}.npy", index), shape_); }
  int64_t caption_count(int64_t index) const override { return counts_.at(index); }
  Tensor context(int64_t index, int64_t caption) const override {
    return read(fmt::format("{}_{}.npy", index, caption), null_.sizes());
  }
  Tensor null_context() const override { return null_; }
  std::string description() const override {
    return fmt::format("latents:{}: {} latents of {} x {} x {}, captions as {} states of width {}, features of U-ViT",
                       folder_.string(), size(), channels(), image_size(), image_size(), null_.size(0), null_.size(1));
  }

 private:
  Tensor read(const std::string& name, at::IntArrayRef shape) const {
    const Tensor array = read_npy(folder_ / name);
    if (array.sizes() != shape || !array.is_floating_point())
      fail("{}: {} of shape {}, expected float32 of {}", (folder_ / name).string(), c10::toString(array.scalar_type()),
           fmt::join(array.sizes(), " x "), fmt::join(shape, " x "));
    return array.to(at::kFloat);
  }

  fs::path folder_;
  std::vector<int64_t> counts_, shape_;
  Tensor null_;
};

}  // namespace

std::shared_ptr<const LatentDataset> open_latent_features(const fs::path& folder, const std::string& split,
                                                          int64_t limit) {
  return std::make_shared<LatentFeatures>(find_split(folder, split), limit);
}

}  // namespace uvic
