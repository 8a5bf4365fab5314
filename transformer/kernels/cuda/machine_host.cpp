#include "transformer/kernels/cuda/machine_host.h"

#include <cstring>
#include <stdexcept>

#include "transformer/kernels/cuda/emulated_block.h"

namespace uvic::gpu {
namespace {

EmulatedBlock& block() {
  static EmulatedBlock the_one;
  return the_one;
}

template <class Value>
using Lanes = std::array<Value*, 32>;

// Calls Value::complete when every lane of the warp has brought its own value; it writes the results into them.
template <class Value>
void meet(Value& mine) {
  block().collect(
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

// GPUs stop the kernel there.
void expect_aligned(const void* pointer) {
  if (reinterpret_cast<uintptr_t>(pointer) % 16 != 0)
    throw std::logic_error("16 bytes at once are not on a multiple of 16 bytes");
}

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
  for (int index = 0; index < blocks; ++index) block().run(index, shared_bytes, order, kernel);
}

int thread_index() {
  return block().thread();
}

int block_index() {
  return block().index();
}

char* shared_memory() {
  return block().shared_memory();
}

void sync_block() {
  block().sync();
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
  expect_aligned(to);
  expect_aligned(from);
  block().copies().push_back({to, valid ? from : nullptr});
}

void wait_copies() {
  std::vector<Copy>& copies = block().copies();
  for (const auto& [to, from] : copies) from == nullptr ? std::memset(to, 0, 16) : std::memcpy(to, from, 16);
  copies.clear();
}

void load_matrices(uint32_t (&to)[4], const void* row) {
  expect_aligned(row);
  Load<false> mine{to, row};
  meet(mine);
}

void load_transposed(uint32_t (&to)[4], const void* row) {
  expect_aligned(row);
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
