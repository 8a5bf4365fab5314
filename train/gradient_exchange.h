// Sums of the ranks' gradients, taken while the backward pass goes on.
#pragma once

#include <vector>

#include "core/parameters.h"
#include "train/world.h"

namespace uvic {

// Gradients lie in buckets of about 25 MB, filled from the last parameter to the first, about the order in which the
// backward pass ends with them; a full bucket is sent at once. What goes where depends on the parameters alone, so all
// ranks send the same.
class GradientExchange {
 public:
  // `wire`: dtype in which gradients are sent and added up.
  GradientExchange(const Parameters& parameters, const World& world, at::ScalarType wire);
  ~GradientExchange();
  GradientExchange(const GradientExchange&) = delete;
  GradientExchange& operator=(const GradientExchange&) = delete;

  // Before the backward pass that makes the gradients complete; without it nothing is sent before finish().
  void begin();
  // After it. The gradients, zeros where a rank has none, and `numbers` become their sums over the ranks. Returns the
  // seconds in which this rank waited for the others.
  double finish(const Tensor& numbers);

 private:
  struct Slot {  // of a parameter
    Tensor parameter, sent;
    size_t bucket = 0;
    bool is_in = false;
  };
  struct Bucket {
    Tensor flat;
    int64_t missing = 0, slots = 0;
    World::Pending pending;
  };
  class Hook;

  void reset();
  void fill(Slot& slot);
  void send_full_buckets();

  const World& world_;
  std::vector<Slot> slots_;
  std::vector<Bucket> buckets_;
  size_t next_ = 0;     // bucket to be sent
  bool begun_ = false;  // hooks fill buckets
};

}  // namespace uvic
