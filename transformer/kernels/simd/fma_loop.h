// The most that the multiply-add units give: the measure for the other kernels.
#pragma once

#include "transformer/kernels/simd/vec.h"

namespace uvic {
namespace {

inline int64_t fma_loop(int64_t iterations) {
  constexpr int kChains = 12;  // enough independent ones to hide the latency of each
  Vec sums[kChains] = {};
  for (Vec& sum : sums) asm volatile("" : "+v"(sum));  // alike to us, but the compiler must not make one chain of them
  Vec factor = broadcast(0.5f), term = broadcast(1.0f);
  for (int64_t i = 0; i < iterations; ++i) {
    asm volatile("" : "+v"(factor), "+v"(term));  // must not be computed in advance
    for (Vec& sum : sums) sum = sum * factor + term;
  }
  Vec total{};
  for (const Vec& sum : sums) total += sum;
  asm volatile("" : : "v"(total));  // nor left out
  return iterations * kChains * kLanes * 2;
}

}  // namespace
}  // namespace uvic
