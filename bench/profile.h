// Where the time of a function goes.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace uvic {

struct OperationTime {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;  // without the operations inside
};

// One call of `f` by LibTorch's operations and the scopes that our kernels name, the longest first; what ran outside of
// all of them is "other". Operations of other threads are not seen, and belong to those that wait for them.
std::vector<OperationTime> profile(const std::function<void()>& f);

}  // namespace uvic
