// What the CPU kernels of an instruction set compute, and above all those of attention: one head of one image, on one
// thread. The library side (attention_cpu.cpp, products.cpp, rows.cpp) and the kernels (simd/), which are compiled once
// per instruction set, share this file, those that it includes, and nothing else.
#pragma once

#include <cstdint>

#include "transformer/kernels/decoder_kernels.h"
#include "transformer/kernels/product_kernels.h"
#include "transformer/kernels/row_kernels.h"

namespace uvic {

enum class Element { kFloat32, kBfloat16 };

// Sizes that decide how much working memory a task needs.
struct HeadShape {
  int64_t queries, keys, head_dim;
};

// Rows of queries, keys and values of one head, so many elements apart.
struct Head {
  HeadShape shape;
  const void *q, *k, *v;
  int64_t q_stride, k_stride, v_stride;
  float scale;
  // Query i sees the keys 0..prefix and first[i]..last[i], prefix <= first[i] <= last[i] <= keys. Null: all keys.
  int64_t prefix;
  const int32_t *first, *last;
};

// Of every query: the maximum of |scores| (softmax: of scores) in units of ln 2, and 1 / the sum of their exponentials.
struct RowStatistics {
  float *max, *normalizer;
};

// Output rows of the queries first..last.
struct ForwardTask {
  Head head;
  int64_t first_query, last_query;
  void* out;
  int64_t out_stride;
  bool past_caches;  // the output is too large for them
  RowStatistics statistics;
};

// Gradients of the keys and values first..last, and what these keys give to the gradients of the queries that see any
// of them: complete if they are all keys, and then in the type of the inputs; else a partial sum [queries, head_dim] in
// float32.
struct BackwardTask {
  Head head;
  int64_t first_key, last_key, first_query, last_query;  // complete: all queries, also those that see nothing
  const void *out, *d_out;
  int64_t out_stride;
  RowStatistics statistics;
  void *d_q, *d_k, *d_v;
  int64_t d_q_stride, d_k_stride, d_v_stride;
  bool past_caches;    // the gradients are too large for them
  float* partial_d_q;  // null: write d_q
};

struct Kernel {
  int64_t (*forward_workspace)(const HeadShape&);  // bytes, on a multiple of 64
  void (*forward)(const ForwardTask&, void* workspace);
  int64_t (*backward_workspace)(const HeadShape&);
  void (*backward)(const BackwardTask&, void* workspace);
};

// The kernels of one weighting, a row of simd/weighting.h.
struct WeightingKernels {
  const char* weighting;
  Kernel kernels[2];  // [Element]
};

// The kernels of one instruction set.
struct KernelTable {
  const WeightingKernels* attention;
  int weightings;  // of `attention`
  RowTable rows;
  DecoderKernels decoder;
  const ProductKernels* products;           // null: nothing better than LibTorch's
  const ProductKernels* float_products;     // null: no vectors of 16
  int64_t (*fma_loop)(int64_t iterations);  // multiply-adds on registers only; returns the floating-point operations
};

// Keys that one task of the backward pass takes, and queries that one of the forward pass takes, at least.
constexpr int64_t kTaskRows = 512;

}  // namespace uvic
