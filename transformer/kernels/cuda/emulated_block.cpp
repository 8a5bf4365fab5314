#include "transformer/kernels/cuda/emulated_block.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace uvic::gpu {
namespace {

int in_order(int count, int i, Order order) {
  return order == Order::kAscending ? i : count - 1 - i;
}

}  // namespace

EmulatedBlock::EmulatedBlock() {
  renew_fibres();
}

void EmulatedBlock::renew_fibres() {
  for (Thread& thread : threads_) thread.fibre = std::make_unique<Fibre>([this] { run_thread(); });
}

void EmulatedBlock::run(int index, int shared_bytes, Order order, const std::function<void()>& kernel) {
  const auto size = static_cast<size_t>(shared_bytes);
  shared_.reset(new (std::align_val_t(16)) char[size]);
  std::memset(shared_.get(), 0xff, size);
  index_ = index;
  kernel_ = &kernel;
  error_ = nullptr;
  warps_ = {};
  for (Thread& thread : threads_) {
    thread.state = State::kReady;
    thread.copies.clear();
  }
  do {
    for (int i = 0; i < kWarps; ++i)
      while (run_warp(in_order(kWarps, i, order), order)) {
      }
  } while (!error_ && open_barrier());

  const auto waits = [](const Thread& thread) { return thread.state != State::kDone; };
  const bool stuck = std::ranges::any_of(threads_, waits);
  if (stuck) renew_fibres();  // those that are paused cannot be taken back
  if (error_) std::rethrow_exception(error_);
  if (stuck) throw std::logic_error("threads wait for others that never come");
  if (std::ranges::any_of(threads_, [](const Thread& thread) { return !thread.copies.empty(); }))
    throw std::logic_error("a kernel ends before its copies do");
}

// Each thread of a warp until it waits; false if all do.
bool EmulatedBlock::run_warp(int warp, Order order) {
  bool any = false;
  for (int i = 0; i < 32 && !error_; ++i) {
    thread_ = warp * 32 + in_order(32, i, order);
    if (current().state != State::kReady) continue;
    any = true;
    current().fibre->resume();
  }
  return any;
}

void EmulatedBlock::run_thread() {
  try {
    (*kernel_)();
  } catch (...) {
    error_ = std::current_exception();
  }
  current().state = State::kDone;
}

bool EmulatedBlock::open_barrier() {
  for (const Thread& thread : threads_)
    if (thread.state != State::kWaitsForBlock) return false;
  for (Thread& thread : threads_) thread.state = State::kReady;
  return true;
}

void EmulatedBlock::pause(State state) {
  current().state = state;
  current().fibre->pause();
}

void EmulatedBlock::sync() {
  pause(State::kWaitsForBlock);
}

void EmulatedBlock::collect(Collective collective, void* argument) {
  const auto warp_index = static_cast<size_t>(thread_ / 32), lane = static_cast<size_t>(thread_ % 32);
  Warp& warp = warps_[warp_index];
  if (warp.arrived == 0) warp.collective = collective;
  if (warp.collective != collective) throw std::logic_error("the threads of a warp call different collectives");
  warp.arguments[lane] = argument;
  if (++warp.arrived < 32) return pause(State::kWaitsForWarp);
  collective(warp.arguments);
  warp.arrived = 0;
  for (size_t i = 0; i < 32; ++i) threads_[32 * warp_index + i].state = State::kReady;
}

}  // namespace uvic::gpu
