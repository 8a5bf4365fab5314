#include "eval/scoring.h"

#include "core/error.h"

namespace uvic {
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
