#include "core/one_by_one.h"

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

// MKL's vector functions look for their code on first use. Where two threads are the first at once, one of them may get
// other code, whose last digits differ: the embedding of a step's time did in 5 of 1,243 processes on a busy machine,
// and with this in 0 of 3,848.
void use_vector_functions() {
  static const bool used = [] {
    const Tensor x = at::ones({16}, at::kDouble);
    return (at::exp(x) + at::sin(x) + at::cos(x)).defined();
  }();
  static_cast<void>(used);
}

}  // namespace

void each_on_one_thread(int64_t count, const std::function<void(int64_t i)>& run) {
  use_vector_functions();
  const RestoreThreads restore;
  const auto run_some = [&](int64_t begin, int64_t end) {
    // Also where this thread is one of several: MKL cuts a product into as many parts as it was told there are threads,
    // even if it then has but one, and its sums are rounded accordingly.
    at::set_num_threads(1);
    at::NoGradGuard no_grad;  // the mode of the calling thread does not reach the others
    for (int64_t i = begin; i < end; ++i) run(i);
  };
  if (count == 1)
    run_some(0, 1);  // a single call would have all threads to itself
  else
    at::parallel_for(0, count, 1, run_some);
}

Tensor one_by_one(int64_t count, const std::function<Tensor(int64_t i)>& call) {
  std::vector<Tensor> out(static_cast<size_t>(count));
  each_on_one_thread(count, [&](int64_t i) { out[i] = call(i); });
  return at::cat(out);
}

Tensor each_apart(at::Device device, int64_t count, const std::function<Tensor(int64_t i)>& call) {
  if (device.is_cpu()) return one_by_one(count, call);
  std::vector<Tensor> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(call(i));
  return at::cat(out);
}

}  // namespace uvic
