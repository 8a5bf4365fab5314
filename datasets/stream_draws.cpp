#include "datasets/stream_draws.h"

#include "core/random.h"

namespace uvic {

std::vector<StreamItem> items_of_step(const StreamConfig& config, int64_t size, int64_t step) {
  TORCH_CHECK(step >= 0, "stream: step ", step);
  const uint64_t first = static_cast<uint64_t>(step) * config.batch, n = size;
  std::vector<StreamItem> items(config.batch);
  for (int64_t j = 0; j < config.batch; ++j) {
    const uint64_t item = first + j;
    items[j] = {item, static_cast<int64_t>(shuffled(item % n, n, config.seed, item / n))};
  }
  return items;
}

int64_t draw_caption(const StreamConfig& config, uint64_t item, int64_t count) {
  return static_cast<int64_t>(hash_mix({config.seed, static_cast<uint64_t>(Stream::kCaption), item}) % count);
}

bool is_dropped(const StreamConfig& config, uint64_t item) {
  const uint64_t bits = hash_mix({config.seed, static_cast<uint64_t>(Stream::kDropout), item});
  return unit_interval(bits) < config.drop_condition;
}

}  // namespace uvic
