// All that the kernels use of the machine, so that the same source is compiled by nvcc for a GPU and by a C++ compiler
// for the emulation that tests run.
//
//   thread_index(), block_index()   of this thread in its block of kThreads, of the block in the grid
//   shared_memory()                 the block's, aligned to 16 bytes
//   sync_block(), sync_warp()       what the others wrote before is seen after
//   shuffle_xor(x, mask)            x of lane (lane ^ mask)
//   copy_async(to, from, valid)     16 bytes to shared memory, zeros if not valid; there after wait_copies() and a sync
//   load_matrices(to, row)          four 8 x 8 matrices of 16-bit numbers: lane 8 m + r names row r of matrix m, and
//   gets
//                                   of each matrix columns 2 (lane % 4) + {0, 1} of row lane / 4
//   load_transposed(to, row)        the same of the transposed matrices
//   multiply_add(c, a, b0, b1)      c += a b on tensor cores, m16n8k16, bfloat16 to float32 (PTX ISA, "mma.m16n8k16")
//   pack(low, high)                 two bfloat16, rounded to nearest even
#pragma once

#include <cstdint>

namespace uvic::gpu {

constexpr int kWarps = 4, kThreads = 32 * kWarps;

}  // namespace uvic::gpu

#ifdef __CUDACC__
#include "transformer/kernels/cuda/machine_gpu.h"
#else
#include "transformer/kernels/cuda/machine_host.h"
#endif

namespace uvic::gpu {

UVIC_DEVICE int lane_index() {
  return thread_index() % 32;
}

UVIC_DEVICE int warp_index() {
  return thread_index() / 32;
}

}  // namespace uvic::gpu
