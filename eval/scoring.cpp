#include "eval/scoring.h"

#include "core/error.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr int64_t kBatch = 64;  // images decoded or generated at once

}  // namespace

Gaussian gaussian_of(const FeatureNet& net, int64_t count, const ImagesAt& images, const std::string& task) {
  if (count < 2) fail("{}: a score needs at least 2 images, there {} {}", task, count == 1 ? "is" : "are", count);
  FeatureStats stats;
  Progress progress(task, count, "image");
  for (int64_t begin = 0; begin < count; begin += kBatch) {
    const int64_t end = std::min(count, begin + kBatch);
    stats.add(net.features(images(begin, end)));
    progress.update(end);
  }
  return stats.fit();
}

std::map<std::string, std::string> notes_of(const FeatureNet& net) {
  return {{"features", net.name()}, {"weights", net.weights_sha256()}};
}

void check_comparable(const std::string& file, const Gaussian& gaussian,
                      const std::map<std::string, std::string>& notes, const FeatureNet& net) {
  for (const auto& [key, want] : notes_of(net))
    if (const auto found = notes.find(key); found != notes.end() && found->second != want)
      fail(
          "{}: these statistics come from {} '{}', the images are scored with '{}'; recompute them with `uvic stats` "
          "or "
          "choose the same network with --features and --weights",
          file, key, found->second, want);
  if (gaussian.mu.size(0) != net.dims())
    fail("{}: statistics of {} features, but {} has {}; use --features with the network they were computed with", file,
         gaussian.mu.size(0), net.name(), net.dims());
}

}  // namespace uvic
