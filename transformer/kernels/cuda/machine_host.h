// The machine (machine.h) emulated on one thread of the CPU, for tests: each thread of a block is a fibre, and the
// fibres of a warp meet in its collective operations. Asynchronous copies happen no earlier than wait_copies(), shared
// memory begins as NaN, and warps run apart from each other in a chosen order, so that a missing wait or sync shows in
// the results.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>

#define UVIC_DEVICE inline
#define UVIC_UNROLL

namespace uvic::gpu {

enum class Order { kAscending, kDescending };

// Runs blocks 0..blocks, one after the other, in each of whose kThreads threads `kernel` is called. Throws
// std::logic_error where a GPU would hang or compute nonsense: threads that wait for others which do not come, a warp
// whose threads call different collectives, copies that nobody waited for, rows off multiples of 16 bytes.
void run_grid(int blocks, int shared_bytes, Order order, const std::function<void()>& kernel);

int thread_index();
int block_index();
char* shared_memory();

void sync_block();
void sync_warp();
float shuffle_xor(float x, int mask);
void copy_async(void* to, const void* from, bool valid);
void wait_copies();
void load_matrices(uint32_t (&to)[4], const void* row);
void load_transposed(uint32_t (&to)[4], const void* row);
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
uint32_t pack(float low, float high);

}  // namespace uvic::gpu
