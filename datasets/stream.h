// The training stream: a pure function of (seed, number of the item), so a checkpoint stores no loader state.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/share.h"
#include "core/tensor.h"
#include "datasets/dataset.h"
#include "datasets/vocabulary.h"

namespace uvic {

struct Batch {
  Tensor x;  // [B, C, H, W] float32: pixels in [-1, 1], or latents
  Condition condition;
};

// These items of a training run: a pure function.
using BatchAt = std::function<Batch(Items items)>;

struct StreamConfig {
  uint64_t seed = 0;
  bool flip = false;            // random horizontal flips
  double drop_condition = 0.1;  // share of samples whose label/text is replaced by the null one (guidance)
  int64_t num_classes = 0;      // > 0: labels are given, as many classes as the data has; the null label is num_classes
  int64_t context_tokens = 0;   // > 0: captions are given as that many word ids; the null text is all kPad
};

// Epoch e = item / N walks all N images once in the order shuffled(., N, seed, e). One of the image's captions is
// drawn. Flip, caption and drop depend on (seed, item) alone. An image without a label (captions) gets the null one.
// Error if the data set lacks what is asked for.
BatchAt make_stream(std::shared_ptr<const Dataset> data, std::optional<Vocabulary> vocabulary,
                    const StreamConfig& config);

// What will be asked for after these items; nothing after the last.
using NextItems = std::function<std::optional<Items>(Items items)>;

// The same function, computing the next items on a background thread while some are used; any others may be asked for,
// at the price of waiting. An exception surfaces at the call for its items. One caller at a time.
BatchAt prefetch(BatchAt batch_at, NextItems next);

}  // namespace uvic
