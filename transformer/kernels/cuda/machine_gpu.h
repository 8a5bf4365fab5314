// The machine (machine.h) as instructions of a GPU, compute capability 8.0 or newer.
#pragma once

#define UVIC_DEVICE __device__ __forceinline__
#define UVIC_UNROLL _Pragma("unroll")

namespace uvic::gpu {

UVIC_DEVICE int thread_index() {
  return static_cast<int>(threadIdx.x);
}

UVIC_DEVICE int block_index() {
  return static_cast<int>(blockIdx.x);
}

UVIC_DEVICE char* shared_memory() {
  extern __shared__ __align__(16) char memory[];
  return memory;
}

UVIC_DEVICE void sync_block() {
  __syncthreads();
}

UVIC_DEVICE void sync_warp() {
  __syncwarp();
}

UVIC_DEVICE float shuffle_xor(float x, int mask) {
  return __shfl_xor_sync(0xffffffffU, x, mask);
}

UVIC_DEVICE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

UVIC_DEVICE void copy_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}

UVIC_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

UVIC_DEVICE void load_matrices(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

UVIC_DEVICE void load_transposed(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

UVIC_DEVICE void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

UVIC_DEVICE uint32_t pack(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

}  // namespace uvic::gpu
