// What every training stream draws for an item: its image, its caption, and whether its condition is dropped. Each is a
// hash of (seed, purpose, item), so streams of pixels and of latents walk the data alike.
#pragma once

#include <vector>

#include "datasets/stream.h"

namespace uvic {

struct StreamItem {
  uint64_t item;
  int64_t index;  // of the image
};

// These items of a stream over `size` images.
std::vector<StreamItem> stream_items(const StreamConfig& config, int64_t size, Items items);
// One of `count` captions.
int64_t draw_caption(const StreamConfig& config, uint64_t item, int64_t count);
bool is_dropped(const StreamConfig& config, uint64_t item);

}  // namespace uvic
