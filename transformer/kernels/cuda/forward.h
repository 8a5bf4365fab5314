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

  static int blocks(const CogArguments& a) { return blocks_of_rows(a, a.queries); }

  static UVIC_DEVICE void run(const CogArguments& a) {
    const BlockOfRows<T> block(a, a.queries);
    const Panel<T, D> q{reinterpret_cast<T*>(shared_memory())}, k = q.from(kBlockRows), v = k.from(kKeys);
    char* scratch = reinterpret_cast<char*>(v.row(kKeys)) + warp_index() * kScratch;
    const Panel<T, D> own_q = q.from(warp_index() * kWarpRows);
    const KeyBlocks<kKeys> keys(block);
    Sight sights[2];  // of the lane's two queries
    UVIC_UNROLL
    for (int half = 0; half < 2; ++half) sights[half] = Sight::of(block, block.warp_first() + tile_row(half));

    float max[2] = {}, sum[2] = {};
    Tile<D> out = {};
    load_rows<kBlockRows>(q, block.rows(a.q), block.first, a.queries);
    if (keys.has(keys.begin())) load_rows<kKeys>(k, block.rows(a.k), keys.begin(), keys.end(keys.begin()));
    for (int key = keys.begin(); keys.has(key); key = keys.next(key)) {
      wait_copies();
      sync_block();  // the keys are there, and the last values no longer needed
      load_rows<kKeys>(v, block.rows(a.v), key, keys.end(key));
      Tile<kKeys> scores = {};
      multiply_rows(scores, own_q, k);
      const Sight seen[2] = {keys.seen(sights[0], key), keys.seen(sights[1], key)};
      weigh(scores, seen, key, a.scale * kLog2E, max, sum, out);
      wait_copies();
      sync_block();  // the values are there, and the keys no longer needed
      const int next = keys.next(key);
      if (keys.has(next)) load_rows<kKeys>(k, block.rows(a.k), next, keys.end(next));
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
      if (lane_index() % 4 == 0 && query < a.queries) {
        statistics[query] = max[half];
        statistics[a.queries + query] = normalizer[half];
      }
    }
    store_rows(block.packed(static_cast<T*>(a.out)), block.warp_first(), a.queries, out, normalizer, own_q);
  }

  static UVIC_DEVICE bool is_seen(const Sight& sight, int key) { return sight.first <= key && key < sight.last; }

  // Scores of the keys from `first` on -> exp(|score| - max) with the sign of the score; brings what was summed before
  // to the new maximum. `sum` is that of this lane's columns.
  static UVIC_DEVICE void weigh(Tile<kKeys>& scores, const Sight (&sights)[2], int first, float scale, float (&max)[2],
                                float (&sum)[2], Tile<D>& out) {
    float top[2] = {};
    scores.each([&](float score, int half, int column) {
      if (is_seen(sights[half], first + column)) top[half] = fmaxf(top[half], fabsf(score));
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
      const float share = is_seen(sights[half], first + column) ? exp2f(fabsf(score) * scale - max[half]) : 0;
      sum[half] += share;
      score = with_sign(share, score);
    });
  }
};

}  // namespace uvic::gpu
