// One block of threads on one thread of the CPU: each of its threads is a fibre.
#pragma once

#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "transformer/kernels/cuda/fibre.h"
#include "transformer/kernels/cuda/machine.h"

namespace uvic::gpu {

struct Copy {
  void* to;
  const void* from;  // null: zeros
};

// What the 32 lanes bring to a collective, and what computes its results once all are there.
using Arguments = std::array<void*, 32>;
using Collective = void (*)(const Arguments&);

class EmulatedBlock {
 public:
  EmulatedBlock();

  // Calls `kernel` in each thread. Errors are those of run_grid (machine_host.h).
  void run(int index, int shared_bytes, Order order, const std::function<void()>& kernel);

  // From the kernel, of the thread that calls:
  int thread() const { return thread_; }
  int index() const { return index_; }
  char* shared_memory() const { return shared_.get(); }
  std::vector<Copy>& copies() { return current().copies; }
  void sync();                                          // until all threads are here
  void collect(Collective collective, void* argument);  // until all lanes of the warp are here

 private:
  enum class State { kReady, kWaitsForWarp, kWaitsForBlock, kDone };

  struct Thread {
    std::unique_ptr<Fibre> fibre;
    State state;
    std::vector<Copy> copies;
  };

  struct Warp {
    Collective collective;
    int arrived;
    Arguments arguments;
  };

  struct Free {
    void operator()(char* memory) const { operator delete[](memory, std::align_val_t(16)); }
  };

  Thread& current() { return threads_[static_cast<size_t>(thread_)]; }
  void pause(State state);
  void run_thread();
  bool run_warp(int warp, Order order);
  bool open_barrier();
  void renew_fibres();

  std::array<Thread, kThreads> threads_;
  std::array<Warp, kWarps> warps_;
  std::unique_ptr<char[], Free> shared_;
  int thread_ = 0, index_ = 0;
  const std::function<void()>* kernel_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace uvic::gpu
