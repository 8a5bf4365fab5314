#include "app/one_by_one.h"

#include <ATen/Parallel.h>

#include <vector>

namespace uvic {
namespace {

class RestoreThreads {
 public:
  RestoreThreads() : before_(at::get_num_threads()) {}
  ~RestoreThreads() { at::set_num_threads(before_); }
  RestoreThreads(const RestoreThreads&) = delete;
  RestoreThreads& operator=(const RestoreThreads&) = delete;

 private:
  int before_;
};

}  // namespace

Tensor one_by_one(int64_t count, const std::function<Tensor(int64_t i)>& call) {
  std::vector<Tensor> out(static_cast<size_t>(count));
  const RestoreThreads restore;
  const auto run = [&](int64_t begin, int64_t end) {
    // Also where this thread is one of several: MKL cuts a product into as many parts as it was told there are threads,
    // even if it then has but one, and its sums are rounded accordingly.
    at::set_num_threads(1);
    at::NoGradGuard no_grad;  // the mode of the calling thread does not reach the others
    for (int64_t i = begin; i < end; ++i) out[i] = call(i);
  };
  if (count == 1)
    run(0, 1);  // a single call would have all threads to itself
  else
    at::parallel_for(0, count, 1, run);
  return at::cat(out);
}

Tensor each_apart(at::Device device, int64_t count, const std::function<Tensor(int64_t i)>& call) {
  if (device.is_cpu()) return one_by_one(count, call);
  std::vector<Tensor> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(call(i));
  return at::cat(out);
}

}  // namespace uvic
