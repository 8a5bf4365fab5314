#include "train/gradient_exchange.h"

#include <torch/csrc/autograd/variable.h>

#include <array>

#include "core/clock.h"

namespace uvic {

// Called once the backward pass has added to a parameter's gradient all that it will.
class GradientExchange::Hook final : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientExchange& exchange, Slot& slot) : exchange_(exchange), slot_(slot) {}
  void operator()(const Tensor&) override {
    if (exchange_.begun_) exchange_.fill(slot_);
  }

 private:
  GradientExchange& exchange_;
  Slot& slot_;
};

GradientExchange::GradientExchange(const Parameters& parameters, const World& world, at::ScalarType wire)
    : world_(world) {
  if (world.size() == 1) return;
  constexpr int64_t kBucketBytes = 25 << 20;
  const auto most = kBucketBytes / static_cast<int64_t>(c10::elementSize(wire));
  std::vector<int64_t> lengths;
  for (auto p = parameters.rbegin(); p != parameters.rend(); ++p) {
    if (lengths.empty() || lengths.back() + p->tensor.numel() > most) lengths.push_back(0);
    lengths.back() += p->tensor.numel();
    slots_.push_back({.parameter = p->tensor, .sent = {}, .bucket = lengths.size() - 1});
  }
  for (const int64_t length : lengths)
    buckets_.push_back({.flat = at::empty({length}, parameters.front().tensor.options().dtype(wire)), .pending = {}});
  for (int64_t offset = 0; Slot & slot : slots_) {
    Bucket& bucket = buckets_[slot.bucket];
    if (bucket.slots++ == 0) offset = 0;
    slot.sent = bucket.flat.narrow(0, offset, slot.parameter.numel()).view(slot.parameter.sizes());
    offset += slot.parameter.numel();
    torch::autograd::impl::set_post_acc_grad_hooks(slot.parameter, std::make_unique<Hook>(*this, slot));
  }
  reset();
}

GradientExchange::~GradientExchange() {
  for (const Slot& slot : slots_) torch::autograd::impl::set_post_acc_grad_hooks(slot.parameter, nullptr);
}

void GradientExchange::begin() {
  begun_ = true;
}

void GradientExchange::reset() {
  begun_ = false;
  next_ = 0;
  for (Slot& slot : slots_) slot.is_in = false;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.slots;
}

void GradientExchange::fill(Slot& slot) {
  TORCH_CHECK(!slot.is_in, "a gradient that was sent grew afterwards");
  const at::NoGradGuard no_grad;
  const Tensor& gradient = slot.parameter.grad();
  gradient.defined() ? slot.sent.copy_(gradient) : slot.sent.zero_();
  slot.is_in = true;
  --buckets_[slot.bucket].missing;
  send_full_buckets();
}

// In the order of all ranks, even if a later one is full before.
void GradientExchange::send_full_buckets() {
  for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_)
    buckets_[next_].pending = world_.start_all_reduce(buckets_[next_].flat);
}

double GradientExchange::finish(const Tensor& numbers) {
  for (Slot& slot : slots_)
    if (!slot.is_in) fill(slot);  // of a part that this step did not use
  const Clock::time_point begin = Clock::now();
  world_.all_reduce(std::array{numbers});
  for (Bucket& bucket : buckets_) bucket.pending.wait();
  const double waited = seconds_since(begin);
  for (const Slot& slot : slots_) Tensor(slot.parameter).mutable_grad() = slot.sent.to(slot.parameter.scalar_type());
  reset();
  return waited;
}

}  // namespace uvic
