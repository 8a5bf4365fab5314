// Cog Attention forward: a block of queries against one block of keys after the other, with an online softmax of
// |scores| whose running maximum starts at 0, which no magnitude is below.
#pragma once

#include "transformer/kernels/cuda/heads.h"
#include "transformer/kernels/cuda/products.h"

namespace uvic::gpu {

template <class T, int D>
struct Forward {
  static constexpr int kKeys = sizeof(T) == 2 ? 64 : 32;  // of a block
  static constexpr int kScratch = kScratchBytes<T, kKeys>;
  static constexpr int kSharedBytes = (kBlockRows + 2 * kKeys) * Panel<T, D>::kRowBytes + kWarps * kScratch;

  static int blocks(const CogArguments& a) { return blocks_of_rows(a); }

  static UVIC_DEVICE void run(const CogArguments& a) {
    const BlockOfRows<T> block(a);
    const Panel<T, D> q{reinterpret_cast<T*>(shared_memory())}, k = q.from(kBlockRows), v = k.from(kKeys);
    char* scratch = reinterpret_cast<char*>(v.row(kKeys)) + warp_index() * kScratch;
    const Panel<T, D> own_q = q.from(warp_index() * kWarpRows);
    const int last = block.first + kBlockRows;
    const int end = a.causal && last < block.keys ? last : block.keys;
    int visible[2];  // keys of the lane's two queries
    UVIC_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int query = block.warp_first() + tile_row(half);
      visible[half] = a.causal && query < block.keys ? query + 1 : block.keys;
    }

    float max[2] = {}, sum[2] = {};
    Tile<D> out = {};
    load_rows<kBlockRows>(q, block.qkv(0), block.first, a.length);
    load_rows<kKeys>(k, block.qkv(1), 0, end);
    for (int key = 0; key < end; key += kKeys) {
      wait_copies();
      sync_block();  // the keys are there, and the last values no longer needed
      load_rows<kKeys>(v, block.qkv(2), key, end);
      Tile<kKeys> scores = {};
      multiply_rows(scores, own_q, k);
      weigh(scores, visible, key, a.scale * kLog2E, max, sum, out);
      wait_copies();
      sync_block();  // the values are there, and the keys no longer needed
      if (key + kKeys < end) load_rows<kKeys>(k, block.qkv(1), key + kKeys, end);
      multiply_weights(out, scores, v, scratch);
    }
    wait_copies();
    sync_block();

    float normalizer[2];
    float* const statistics = block.vectors(a.statistics, 2);
    UVIC_UNROLL
    for (int half = 0; half < 2; ++half) {
      const float all = sum_of_row(sum[half]);
      normalizer[half] = all > 0 ? 1 / all : 0;  // no key: no output
      const int query = block.warp_first() + tile_row(half);
      if (lane_index() % 4 == 0 && query < a.length) {
        statistics[query] = max[half];
        statistics[a.length + query] = normalizer[half];
      }
    }
    store_rows(block.packed(static_cast<T*>(a.out)), block.warp_first(), a.length, out, normalizer, own_q);
  }

  // Scores of the keys from `first` on -> exp(|score| - max) with the sign of the score; brings what was summed before
  // to the new maximum. `sum` is that of this lane's columns.
  static UVIC_DEVICE void weigh(Tile<kKeys>& scores, const int (&visible)[2], int first, float scale, float (&max)[2],
                                float (&sum)[2], Tile<D>& out) {
    float top[2] = {};
    scores.each([&](float score, int half, int column) {
      if (first + column < visible[half]) top[half] = fmaxf(top[half], fabsf(score));
    });
    float rescale[2];
    UVIC_UNROLL
    for (int half = 0; half < 2; ++half) {
      const float before = max[half];
      max[half] = fmaxf(before, max_of_row(top[half]) * scale);
      rescale[half] = exp2f(before - max[half]);
      sum[half] *= rescale[half];
    }
    out.each([&](float& value, int half, int) { value *= rescale[half]; });
    scores.each([&](float& score, int half, int column) {
      const bool seen = first + column < visible[half];
      const float share = seen ? exp2f(fabsf(score) * scale - max[half]) : 0;
      sum[half] += share;
      score = with_sign(share, score);
    });
  }
};

}  // namespace uvic::gpu
