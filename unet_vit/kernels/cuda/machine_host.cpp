#include "unet_vit/kernels/cuda/machine_host.h"

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "unet_vit/kernels/cuda/fibre.h"
#include "unet_vit/kernels/cuda/machine.h"

namespace uvic::gpu {
namespace {

enum class State { kReady, kInWarp, kInBlock, kDone };

struct Copy {
  void* to;
  const void* from;  // null: zeros
};

// What the 32 lanes bring to a collective, and what computes its results once all are there.
using Arguments = std::array<void*, 32>;
using Collective = void (*)(const Arguments&);

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

// One block at a time.
class Machine {
 public:
  Machine() {
    for (Thread& thread : threads_) thread.fibre = std::make_unique<Fibre>([this] { run_thread(); });
  }

  void run(int block, int shared_bytes, Order order, const std::function<void()>& kernel) {
    this->block = block;
    shared.reset(new (std::align_val_t(16)) char[static_cast<size_t>(shared_bytes)]);
    std::memset(shared.get(), 0xff, static_cast<size_t>(shared_bytes));
    kernel_ = &kernel;
    error_ = nullptr;
    for (Thread& thread : threads_) thread.state = State::kReady, thread.copies.clear();
    for (Warp& warp : warps_) warp = {};
    const auto in_order = [&](int count, int i) { return order == Order::kAscending ? i : count - 1 - i; };
    do {
      for (int w = 0; w < kWarps; ++w)
        while (run_warp(in_order(kWarps, w), [&](int i) { return in_order(32, i); })) {
        }
    } while (open_barrier());
    for (const Thread& thread : threads_) {
      if (thread.state != State::kDone) throw std::logic_error("threads wait for others that never come");
      if (!thread.copies.empty()) throw std::logic_error("a kernel ends before its copies do");
    }
  }

  Thread& current() { return threads_[static_cast<size_t>(thread)]; }

  void collect(Collective collective, void* argument) {
    Warp& warp = warps_[static_cast<size_t>(thread / 32)];
    if (warp.arrived == 0) warp.collective = collective;
    if (warp.collective != collective) throw std::logic_error("the threads of a warp call different collectives");
    warp.arguments[static_cast<size_t>(thread % 32)] = argument;
    if (++warp.arrived < 32) return pause(State::kInWarp);
    collective(warp.arguments);
    warp.arrived = 0;
    for (int i = 0; i < 32; ++i) threads_[static_cast<size_t>(thread / 32 * 32 + i)].state = State::kReady;
  }

  void pause(State state) {
    current().state = state;
    current().fibre->pause();
  }

  int thread = 0, block = 0;
  struct Free {
    void operator()(char* memory) const { operator delete[](memory, std::align_val_t(16)); }
  };
  std::unique_ptr<char[], Free> shared;

 private:
  void run_thread() {
    try {
      (*kernel_)();
    } catch (...) {
      error_ = std::current_exception();
    }
    current().state = State::kDone;
  }

  // Each thread of a warp until it waits; false if all do.
  template <class InOrder>
  bool run_warp(int warp, const InOrder& in_order) {
    bool any = false;
    for (int i = 0; i < 32; ++i) {
      thread = warp * 32 + in_order(i);
      if (current().state != State::kReady) continue;
      any = true;
      current().fibre->resume();
      if (error_) abandon();
    }
    return any;
  }

  bool open_barrier() {
    for (const Thread& thread : threads_)
      if (thread.state != State::kInBlock) return false;
    for (Thread& thread : threads_) thread.state = State::kReady;
    return true;
  }

  // Paused fibres cannot be taken back, so new ones take their place.
  [[noreturn]] void abandon() {
    for (Thread& thread : threads_) thread.fibre = std::make_unique<Fibre>([this] { run_thread(); });
    std::rethrow_exception(error_);
  }

  std::array<Thread, kThreads> threads_;
  std::array<Warp, kWarps> warps_;
  const std::function<void()>* kernel_ = nullptr;
  std::exception_ptr error_;
};

Machine& machine() {
  static Machine the_one;
  return the_one;
}

template <class Value>
using Lanes = std::array<Value*, 32>;

// Calls Value::complete when every lane of the warp has brought its own value; it writes the results into them.
template <class Value>
void meet(Value& mine) {
  machine().collect(
      [](const Arguments& arguments) {
        Lanes<Value> all;
        for (size_t i = 0; i < 32; ++i) all[i] = static_cast<Value*>(arguments[i]);
        Value::complete(all);
      },
      &mine);
}

struct Sync {
  static void complete(const Lanes<Sync>&) {}
};

struct Shuffle {
  float value, result;
  int mask;

  static void complete(const Lanes<Shuffle>& all) {
    for (size_t i = 0; i < 32; ++i) all[i]->result = all[i ^ static_cast<size_t>(all[i]->mask)]->value;
  }
};

template <bool kTransposed>
struct Load {
  uint32_t* to;
  const void* row;

  static void complete(const Lanes<Load>& all) {
    for (size_t lane = 0; lane < 32; ++lane)
      for (size_t matrix = 0; matrix < 4; ++matrix) {
        uint16_t pair[2];
        for (size_t i = 0; i < 2; ++i) {
          const size_t across = lane / 4, along = lane % 4 * 2 + i;
          const size_t row = kTransposed ? along : across, column = kTransposed ? across : along;
          std::memcpy(&pair[i], static_cast<const uint16_t*>(all[8 * matrix + row]->row) + column, sizeof(uint16_t));
        }
        all[lane]->to[matrix] = static_cast<uint32_t>(pair[1]) << 16 | pair[0];
      }
  }
};

float half_of(uint32_t pair, size_t which) {
  const uint32_t bits = which == 0 ? pair << 16 : pair & 0xffff0000U;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Registers as the PTX ISA lays them out for mma.m16n8k16: with group = lane / 4, index = lane % 4,
//   a[r] half h: row group + 8 (r % 2), column 2 index + h + 8 (r / 2);   b[r] half h: row 2 index + h + 8 r, column
//   group; c[r]: row group + 8 (r / 2), column 2 index + r % 2.
struct Product {
  float* c;
  const uint32_t* a;
  uint32_t b[2];

  static void complete(const Lanes<Product>& all) {
    float left[16][16], right[16][8];
    for (size_t lane = 0; lane < 32; ++lane) {
      const size_t group = lane / 4, index = lane % 4;
      for (size_t h = 0; h < 2; ++h) {
        for (size_t r = 0; r < 4; ++r)
          left[group + 8 * (r % 2)][2 * index + h + 8 * (r / 2)] = half_of(all[lane]->a[r], h);
        for (size_t r = 0; r < 2; ++r) right[2 * index + h + 8 * r][group] = half_of(all[lane]->b[r], h);
      }
    }
    for (size_t lane = 0; lane < 32; ++lane)
      for (size_t r = 0; r < 4; ++r) {
        float sum = 0;
        for (size_t k = 0; k < 16; ++k) sum += left[lane / 4 + 8 * (r / 2)][k] * right[k][lane % 4 * 2 + r % 2];
        all[lane]->c[r] += sum;
      }
  }
};

}  // namespace

void run_grid(int blocks, int shared_bytes, Order order, const std::function<void()>& kernel) {
  for (int block = 0; block < blocks; ++block) machine().run(block, shared_bytes, order, kernel);
}

int thread_index() {
  return machine().thread;
}

int block_index() {
  return machine().block;
}

char* shared_memory() {
  return machine().shared.get();
}

void sync_block() {
  machine().pause(State::kInBlock);
}

void sync_warp() {
  Sync mine;
  meet(mine);
}

float shuffle_xor(float x, int mask) {
  Shuffle mine{x, 0, mask};
  meet(mine);
  return mine.result;
}

void copy_async(void* to, const void* from, bool valid) {
  machine().current().copies.push_back({to, valid ? from : nullptr});
}

void wait_copies() {
  std::vector<Copy>& copies = machine().current().copies;
  for (const auto& [to, from] : copies) from == nullptr ? std::memset(to, 0, 16) : std::memcpy(to, from, 16);
  copies.clear();
}

void load_matrices(uint32_t (&to)[4], const void* row) {
  Load<false> mine{to, row};
  meet(mine);
}

void load_transposed(uint32_t (&to)[4], const void* row) {
  Load<true> mine{to, row};
  meet(mine);
}

void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Product mine{c, a, {b0, b1}};
  meet(mine);
}

uint32_t pack(float low, float high) {
  const auto round = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    return nan ? 0x7fffU : (bits + 0x7fffU + (bits >> 16 & 1)) >> 16;
  };
  return round(high) << 16 | round(low);
}

}  // namespace uvic::gpu
