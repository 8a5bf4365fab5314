#include "eval/scoring.h"

#include "core/error.h"

namespace uvic {
std::map<std::string, std::string> notes_of(const FeatureNet& net) {
  std::map<std::string, std::string> notes = {{"features", net.name()}, {"weights", net.weights_sha256()}};
  if (!net.resize().empty()) notes["resize"] = net.resize();
  return notes;
}

void check_comparable(const std::string& file, int64_t dims, const std::map<std::string, std::string>& notes,
                      const FeatureNet& net) {
  for (const auto& [key, want] : notes_of(net))
    if (const auto found = notes.find(key); found != notes.end() && found->second != want)
      fail(
          "{}: computed with {} '{}', the images are scored with '{}'; recompute it with `uvic stats`, or choose the "
          "same with --features, --weights and --resize",
          file, key, found->second, want);
  if (dims != net.dims())
    fail("{}: statistics of {} features, but {} has {}; use --features with the network they were computed with", file,
         dims, net.name(), net.dims());
}

}  // namespace uvic
