#include "datasets/stream_draws.h"

#include "core/random.h"

namespace uvic {

std::vector<StreamItem> stream_items(const StreamConfig& config, int64_t size, Items items) {
  TORCH_CHECK(items.first >= 0 && items.count > 0, "stream: ", items.count, " items from ", items.first);
  const uint64_t first = items.first, n = size;
  std::vector<StreamItem> found(items.count);
  for (int64_t j = 0; j < items.count; ++j) {
    const uint64_t item = first + j;
    found[j] = {item, static_cast<int64_t>(shuffled(item % n, n, config.seed, item / n))};
  }
  return found;
}

int64_t draw_caption(const StreamConfig& config, uint64_t item, int64_t count) {
  return static_cast<int64_t>(hash_mix({config.seed, static_cast<uint64_t>(Stream::kCaption), item}) % count);
}

bool is_dropped(const StreamConfig& config, uint64_t item) {
  const uint64_t bits = hash_mix({config.seed, static_cast<uint64_t>(Stream::kDropout), item});
  return unit_interval(bits) < config.drop_condition;
}

}  // namespace uvic
