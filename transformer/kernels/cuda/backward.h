// Gradients of Cog Attention from weights that are computed again, without atomics: each kernel owns rows of what it
// writes. With S the shares, A = sign(P) S the weights and D_i = dO_i . O_i,
//   dA = dO V^T,   dP = S (dA - sign(P) D)  (0 where P = 0),   dV = A^T dO,   dQ = scale dP K,   dK = scale dP^T Q.
#pragma once

#include "transformer/kernels/cuda/heads.h"
#include "transformer/kernels/cuda/products.h"

namespace uvic::gpu {

// D_i of all rows, one warp each.
template <class T, int D>
struct RowDots {
  static constexpr int kSharedBytes = 0;
  static int64_t rows(const CogArguments& a) { return static_cast<int64_t>(a.batch) * a.queries * a.heads; }
  static int blocks(const CogArguments& a) { return static_cast<int>((rows(a) + kWarps - 1) / kWarps); }

  static UVIC_DEVICE void run(const CogArguments& a) {
    const int64_t row = static_cast<int64_t>(block_index()) * kWarps + warp_index();
    const int64_t token = row / a.heads, image = token / a.queries;
    if (image >= a.batch) return;
    const T *out = static_cast<const T*>(a.out) + row * D, *d_out = static_cast<const T*>(a.d_out) + row * D;
    float sum = 0;
    for (int c = lane_index(); c < D; c += 32) sum += to_float(out[c]) * to_float(d_out[c]);
    UVIC_UNROLL
    for (int mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
    if (lane_index() == 0) a.row_dots[(image * a.heads + row % a.heads) * a.queries + token % a.queries] = sum;
  }
};

// What the gradient of a score needs to know of its query.
struct QueryStatistics {
  float max, normalizer, row_dot;
  Sight sight;

  // Of no query: no weight.
  template <class T>
  static UVIC_DEVICE QueryStatistics of(const BlockOfRows<T>& block, int query) {
    if (query >= block.a.queries) return {};
    const float* const statistics = block.vectors(block.a.statistics, 2);
    return {statistics[query], statistics[block.a.queries + query], block.vectors(block.a.row_dots, 1)[query],
            Sight::of(block, query)};
  }
};

// One kernel for both gradients. Of its own rows x and the other rows y (kOfKeys: keys and queries, else the reverse)
// it takes the pair that gives scores (queries with keys) and the pair that gives dA (dO with values).
template <class T, int D, bool kOfKeys>
struct Gradient {
  // As many as fit registers without spilling and, in float32, the 99 KiB of shared memory that every GPU has.
  static constexpr int kOthers = sizeof(T) == 2 ? (D == 32 ? 64 : 32) : (D >= 80 ? 16 : 32);
  static constexpr int kScratch = kScratchBytes<T, kOthers>;
  static constexpr int kPanelBytes = 2 * (kBlockRows + kOthers) * Panel<T, D>::kRowBytes;
  static constexpr int kSharedBytes =
      kPanelBytes + kWarps * kScratch + (kOfKeys ? kOthers * static_cast<int>(sizeof(QueryStatistics)) : 0);

  static int blocks(const CogArguments& a) { return blocks_of_rows(a, kOfKeys ? a.keys : a.queries); }

  // The blocks of other rows, first to last without a gap (queries) or as KeyBlocks.
  struct QueryBlocks {
    int first, last;

    // All threads of the block look for them together, in the shared memory that nothing is in yet.
    UVIC_DEVICE explicit QueryBlocks(const BlockOfRows<T>& block) : first(0), last(block.a.queries) {
      static_assert(2 * kThreads * static_cast<int>(sizeof(int)) <= kPanelBytes);
      const int queries = block.a.queries, end = block.first + kBlockRows;
      if (block.a.first == nullptr || block.first < block.a.prefix) return;
      const int32_t *begins = block.ends(block.a.first), *ends = block.ends(block.a.last);
      first = queries, last = 0;
      for (int i = thread_index(); i < queries; i += kThreads) {
        if (begins[i] >= end || ends[i] <= block.first) continue;
        first = i < first ? i : first;
        last = i + 1;
      }
      int* const found = reinterpret_cast<int*>(shared_memory());
      found[2 * thread_index()] = first, found[2 * thread_index() + 1] = last;
      sync_block();
      for (int i = 0; i < kThreads; ++i) {
        first = found[2 * i] < first ? found[2 * i] : first;
        last = found[2 * i + 1] > last ? found[2 * i + 1] : last;
      }
      sync_block();
    }
    UVIC_DEVICE int begin() const { return first; }
    UVIC_DEVICE bool has(int query) const { return query < last; }
    UVIC_DEVICE int next(int query) const { return query + kOthers; }
    UVIC_DEVICE int end(int) const { return last; }
  };
  template <bool, class Keys, class Queries>
  struct Either {
    using Type = Keys;
  };
  template <class Keys, class Queries>
  struct Either<true, Keys, Queries> {
    using Type = Queries;
  };
  using Others = typename Either<kOfKeys, KeyBlocks<kOthers>, QueryBlocks>::Type;

  static UVIC_DEVICE void run(const CogArguments& a) {
    const int own_rows = kOfKeys ? a.keys : a.queries;
    const BlockOfRows<T> block(a, own_rows);
    const Panel<T, D> x_score{reinterpret_cast<T*>(shared_memory())}, x_out = x_score.from(kBlockRows);
    const Panel<T, D> y_score = x_out.from(kBlockRows), y_out = y_score.from(kOthers);
    char* const after = shared_memory() + kPanelBytes;
    char* const scratch = after + warp_index() * kScratch;
    QueryStatistics* const y_statistics = reinterpret_cast<QueryStatistics*>(after + kWarps * kScratch);
    const Rows<const T> d_out = block.packed(static_cast<const T*>(a.d_out));
    const Rows<const T> q = block.rows(a.q), k = block.rows(a.k), v = block.rows(a.v);
    const Rows<const T> other_score = kOfKeys ? q : k, other_out = kOfKeys ? d_out : v;
    const int own_row = warp_index() * kWarpRows;

    QueryStatistics x_statistics[2];
    if constexpr (!kOfKeys) {
      UVIC_UNROLL
      for (int half = 0; half < 2; ++half)
        x_statistics[half] = QueryStatistics::of(block, block.warp_first() + tile_row(half));
    }
    const Others others(block);

    Tile<D> d_score_rows = {};               // of queries or keys
    [[maybe_unused]] Tile<D> d_values = {};  // kOfKeys
    load_rows<kBlockRows>(x_score, kOfKeys ? k : q, block.first, own_rows);
    load_rows<kBlockRows>(x_out, kOfKeys ? v : d_out, block.first, own_rows);
    if (others.has(others.begin())) load_rows<kOthers>(y_out, other_out, others.begin(), others.end(others.begin()));
    for (int first = others.begin(); others.has(first); first = others.next(first)) {
      const int end = others.end(first);
      wait_copies();
      sync_block();  // y_out is there, y_score no longer needed
      load_rows<kOthers>(y_score, other_score, first, end);
      if constexpr (kOfKeys)
        for (int i = thread_index(); i < kOthers; i += kThreads)
          y_statistics[i] = QueryStatistics::of(block, first + i);
      Tile<kOthers> d_weights = {};
      multiply_rows(d_weights, x_out.from(own_row), y_out);
      wait_copies();
      sync_block();  // y_score and y_statistics are there
      Tile<kOthers> scores = {};
      multiply_rows(scores, x_score.from(own_row), y_score);
      UVIC_UNROLL
      for (int j = 0; j < kOthers / 8; ++j) {
        UVIC_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int column = 8 * j + 2 * (lane_index() % 4) + i % 2, half = i / 2;
          const int x = block.warp_first() + tile_row(half), y = first + column, key = kOfKeys ? x : y;
          const QueryStatistics query = kOfKeys ? y_statistics[column] : x_statistics[half];
          // Beyond `end` is another part of the keys, or no row.
          const bool seen = y < end && (key < a.prefix || (query.sight.first <= key && key < query.sight.last));
          differentiate(scores.at[j][i], d_weights.at[j][i], seen, a.scale * kLog2E, query);
        }
      }
      if constexpr (kOfKeys) multiply_weights(d_values, scores, y_out, scratch);
      sync_block();  // y_out is no longer needed
      const int next = others.next(first);
      if (others.has(next)) load_rows<kOthers>(y_out, other_out, next, others.end(next));
      multiply_weights(d_score_rows, d_weights, y_score, scratch);
    }
    wait_copies();
    sync_block();

    const float scale[2] = {a.scale, a.scale};
    const auto store = [&](const CogTensor<void>& to, const Tile<D>& tile, const float(&factor)[2]) {
      store_rows(block.rows(to), block.warp_first(), own_rows, tile, factor, x_score.from(own_row));
    };
    store(kOfKeys ? a.d_k : a.d_q, d_score_rows, scale);
    if constexpr (kOfKeys) store(a.d_v, d_values, {1, 1});
  }

  // score -> weight, gradient of the weight -> gradient of the score
  static UVIC_DEVICE void differentiate(float& score, float& d_weight, bool seen, float scale,
                                        const QueryStatistics& query) {
    const float share = seen ? exp2f(fabsf(score) * scale - query.max) * query.normalizer : 0;
    // Not a product with the share of 0: what stands in a row that is not seen may be NaN.
    d_weight = seen && score != 0 ? share * (d_weight - (score < 0 ? -query.row_dot : query.row_dot)) : 0;
    score = with_sign(share, score);
  }
};

}  // namespace uvic::gpu
