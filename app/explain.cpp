#include "app/explain.h"

#include <limits>

#include "core/error.h"
#include "core/image.h"
#include "eval/frechet.h"
#include "eval/metrics/distances.h"

namespace uvic {
namespace {

constexpr int64_t kPairs = 8, kColumns = 4;  // of each kind; images in a row of the picture
constexpr int64_t kTile = 128;

// Image `row` of the features, as a square of kTile.
Tensor picture(const Side& side, int64_t row) {
  const int64_t image = side.image_of_row.at(static_cast<size_t>(row));
  Tensor result;
  side.images.read(
      image, image + 1, [&](const Tensor& images, std::span<const int64_t>) { result = images[0]; }, [](int64_t) {});
  const Tensor pixels = result.permute({1, 2, 0}).contiguous();
  // Small images grow by whole pixels, so that they are seen as they are.
  return resize_like_pillow(pixels, kTile, kTile, pixels.size(0) < kTile ? Filter::kBox : Filter::kBicubic);
}

}  // namespace

FrechetParts frechet_parts(const Gaussian& a, const Gaussian& b) {
  const double means = (a.mu - b.mu).square().sum().item<double>();
  return {means, std::max(0.0, frechet_distance(a, b) - means)};
}

Nearest nearest_images(const Tensor& a, const Tensor& b) {
  const at::NoGradGuard no_grad;
  const Nearest nearest{at::full({a.size(0)}, std::numeric_limits<double>::infinity(), at::kDouble),
                        at::zeros({a.size(0)}, at::kLong)};
  for_each_distance_block(a, b, [&](const DistanceBlock& block) {
    const auto [least, where] = block.d.min(1);
    const Tensor distance = nearest.distance.narrow(0, block.i, least.size(0));
    const Tensor index = nearest.index.narrow(0, block.i, least.size(0));
    index.copy_(at::where(least < distance, where + block.j, index));
    distance.copy_(at::minimum(least, distance));
  });
  nearest.distance.copy_(exact_distances(a, at::arange(a.size(0)), b, nearest.index).sqrt());
  return nearest;
}

void write_pairs(const std::filesystem::path& file, const Side& a, const Side& b) {
  const Nearest nearest = nearest_images(a.set->activations.features, b.set->activations.features);
  const Tensor order = nearest.distance.argsort();
  const int64_t count = order.size(0), each = std::min(kPairs, count / 2);
  std::vector<Tensor> tiles;
  std::vector<std::string> captions;
  const auto add = [&](const char* kind, int64_t rank) {
    const int64_t row = order[rank].item<int64_t>(), other = nearest.index[row].item<int64_t>();
    tiles.push_back(picture(a, row));
    tiles.push_back(picture(b, other));
    captions.push_back(fmt::format("A {}", a.image_of_row.at(row)));
    captions.push_back(
        fmt::format("B {} {} at {:.3g}", b.image_of_row.at(other), kind, nearest.distance[row].item<double>()));
  };
  for (int64_t i = 0; i < each; ++i) add("nearest", i);
  for (int64_t i = 0; i < each; ++i) add("far", count - 1 - i);
  write_png(file, make_grid(tiles, captions, {.columns = kColumns, .pad = 4, .min_tile = kTile}));
}

}  // namespace uvic
