// The training stream: batch k as a pure function of (seed, k), so a checkpoint stores no loader state.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/tensor.h"
#include "datasets/dataset.h"
#include "datasets/vocabulary.h"

namespace uvic {

struct Batch {
  Tensor x;  // [B, C, H, W] float32: pixels in [-1, 1], or latents
  Condition condition;
};

// Batch number k of a training run: a pure function of k.
using BatchAt = std::function<Batch(int64_t k)>;

struct StreamConfig {
  uint64_t seed = 0;
  int64_t batch = 64;
  bool flip = false;            // random horizontal flips
  double drop_condition = 0.1;  // share of samples whose label/text is replaced by the null one (guidance)
  int64_t num_classes = 0;      // > 0: labels are given, as many classes as the data has; the null label is num_classes
  int64_t context_tokens = 0;   // > 0: captions are given as that many word ids; the null text is all kPad
};

// Item j of step k is item k batch + j of the stream; epoch e = item / N walks all N images once in the order
// shuffled(., N, seed, e). One of the image's captions is drawn. Flip, caption and drop depend on (seed, item) alone.
// An image without a label (captions) gets the null one. Error if the data set lacks what is asked for.
BatchAt make_stream(std::shared_ptr<const Dataset> data, std::optional<Vocabulary> vocabulary,
                    const StreamConfig& config);

// The step that will be asked for after this one; nothing after the last.
using NextStep = std::function<std::optional<int64_t>(int64_t step)>;

// The same function, computing the next step on a background thread while one is used; any other step may be asked for,
// at the price of waiting. An exception surfaces at the call for its step. One caller at a time.
BatchAt prefetch(BatchAt batch_at, NextStep next);

}  // namespace uvic
