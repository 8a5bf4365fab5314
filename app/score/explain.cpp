#include "app/score/explain.h"

#include <algorithm>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "eval/frechet.h"
#include "eval/metrics/distances.h"

namespace uvic {
namespace {

constexpr int64_t kPairs = 8, kColumns = 4;  // of each kind; images in a row of the picture
constexpr int64_t kTile = 128;

// [3, H, W] -> a square of kTile
Tensor tile_of(const Tensor& image) {
  const Tensor pixels = image.permute({1, 2, 0}).contiguous();
  // Small images grow by whole pixels, so that they are seen as they are.
  return resize_like_pillow(pixels, kTile, kTile, pixels.size(0) < kTile ? Filter::kBox : Filter::kBicubic);
}

// Rows of the features, by class.
std::vector<std::vector<int64_t>> rows_by_class(const Side& side) {
  std::vector<std::vector<int64_t>> rows(side.labels->classes().size());
  for (size_t row = 0; row < side.image_of_row.size(); ++row)
    if (const int64_t label = side.labels->label(side.image_of_row[row] % side.labels->size()); label >= 0)
      rows.at(static_cast<size_t>(label)).push_back(static_cast<int64_t>(row));
  return rows;
}

Gaussian gaussian_of(const Side& side, const std::vector<int64_t>& rows) {
  FeatureStats stats;
  stats.add(side.set->activations.features.index_select(0, at::tensor(rows, at::kLong)));
  return stats.fit();
}

}  // namespace

FrechetParts frechet_parts(const Gaussian& a, const Gaussian& b) {
  const double means = (a.mu - b.mu).square().sum().item<double>();
  return {means, std::max(0.0, frechet_distance(a, b) - means)};
}

std::vector<ClassDistance> class_distances(const Side& a, const Side& b) {
  std::vector<ClassDistance> classes;
  if (!a.labels || !b.labels || a.labels->classes() != b.labels->classes()) return classes;
  const auto names = a.labels->classes();
  const auto of_a = rows_by_class(a), of_b = rows_by_class(b);
  Progress progress("classes", std::ssize(names), "class");
  for (size_t i = 0; i < names.size(); ++i) {
    stop_if_interrupted();
    if (std::min(of_a[i].size(), of_b[i].size()) >= 2)
      classes.push_back({names[i], std::ssize(of_a[i]), std::ssize(of_b[i]),
                         frechet_distance(gaussian_of(a, of_a[i]), gaussian_of(b, of_b[i]))});
    progress.update(static_cast<int64_t>(i) + 1);
  }
  std::ranges::sort(classes, [](const auto& x, const auto& y) { return x.distance > y.distance; });
  return classes;
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
  struct Pair {
    int64_t of_a, of_b;  // images
    const char* kind;
    double distance;
  };
  std::vector<Pair> pairs;
  std::set<int64_t> of_a, of_b;
  const auto add = [&](const char* kind, int64_t rank) {
    const int64_t row = order[rank].item<int64_t>(), other = nearest.index[row].item<int64_t>();
    pairs.push_back({a.image_of_row.at(row), b.image_of_row.at(other), kind, nearest.distance[row].item<double>()});
    of_a.insert(pairs.back().of_a);
    of_b.insert(pairs.back().of_b);
  };
  for (int64_t i = 0; i < each; ++i) add("nearest", i);
  for (int64_t i = 0; i < each; ++i) add("far", count - 1 - i);

  const auto images_a = read_images(*a.images, of_a), images_b = read_images(*b.images, of_b);
  std::vector<Tensor> tiles;
  std::vector<std::string> captions;
  for (const Pair& pair : pairs) {
    tiles.push_back(tile_of(images_a.at(pair.of_a)));
    tiles.push_back(tile_of(images_b.at(pair.of_b)));
    captions.push_back(fmt::format("A {}", pair.of_a));
    captions.push_back(fmt::format("B {} {} at {:.3g}", pair.of_b, pair.kind, pair.distance));
  }
  write_png(file, make_grid(tiles, captions, {.columns = kColumns, .pad = 4, .min_tile = kTile}));
}

}  // namespace uvic
