// Matrix products in another precision for the length of a scope.
#pragma once

#include <ATen/autocast_mode.h>

#include "core/tensor.h"

namespace uvic {

// While it lives, matrix products on `device` run in `dtype`; float32 leaves all as it is. The casts of weights that
// LibTorch caches meanwhile are dropped when the outermost scope ends, since the weights change after it.
class Autocast {
 public:
  Autocast(at::DeviceType device, at::ScalarType dtype)
      : device_(device), before_(at::autocast::is_autocast_enabled(device)) {
    if (dtype != at::kFloat) at::autocast::set_autocast_dtype(device_, dtype);
    at::autocast::set_autocast_enabled(device_, dtype != at::kFloat);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, before_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

  // The dtype of the innermost scope; float32 outside of all.
  static at::ScalarType current(at::DeviceType device) {
    return at::autocast::is_autocast_enabled(device) ? at::autocast::get_autocast_dtype(device) : at::kFloat;
  }

 private:
  at::DeviceType device_;
  bool before_;
};

}  // namespace uvic
