// Attention forward: an online softmax over blocks of keys, each for all blocks of queries.
#pragma once

#include "transformer/kernels/simd/blocks.h"
#include "transformer/kernels/simd/weighting.h"

namespace uvic {
namespace {

// Less than any score, and finite, so that differences are.
constexpr float kNoScore = -1e30f;

// Whole register tiles whose scores stay in the L1 cache, or whole AMX tiles.
template <class Unit>
constexpr int64_t kForwardQueries = kDepth<Unit> == 1 ? 24 : 64;

// Rows that are prefetched after each tile of a product.
template <class Unit>
constexpr int64_t kRowsPerTile = kDepth<Unit> == 1 ? 1 : 4;

// Running state of the softmax of every query of a task.
struct RowStates {
  float *max, *sum;
};

template <class Weighting>
Vec top_of_row(const float* scores, int64_t visible) {
  const int64_t whole = visible / kLanes * kLanes;
  Vec top = broadcast(kNoScore);
  for (int64_t c = 0; c < whole; c += kLanes) top = max(top, Weighting::magnitude(load(scores + c)));
  if (whole == visible) return top;
  const IntVec in_tail = lane_numbers() < static_cast<int32_t>(visible - whole);
  return max(top, in_tail ? Weighting::magnitude(load(scores + whole)) : broadcast(kNoScore));
}

// Scores of one query (in place, or to `weights`) -> exp(magnitude - max) with the sign of the weight, 0 from `visible`
// to `columns`. Returns the sum of the exponentials, by lanes.
template <class Weighting, class Unit>
Vec weigh_row(const float* scores, Unit* weights, int64_t visible, int64_t columns, float scale, float row_max) {
  const int64_t whole = visible / kLanes * kLanes;
  Vec sum{};
  const Vec minus_max = broadcast(-row_max);
  const auto weigh = [&](int64_t c, auto keep) {
    const Vec score = load(scores + c);
    const Vec share = keep(exp2<kDepth<Unit> == 1>(Weighting::magnitude(score) * scale + minus_max));
    sum += share;
    store_units(weights, c, Weighting::weight(share, score));
  };
  for (int64_t c = 0; c < whole; c += kLanes) weigh(c, [](Vec share) { return share; });
  int64_t c = whole;
  if (whole < visible) {
    const IntVec in_tail = lane_numbers() < static_cast<int32_t>(visible - whole);
    weigh(whole, [&](Vec share) { return in_tail ? share : Vec{}; }), c += kLanes;
  }
  for (; c < columns; c += kLanes) store_units(weights, c, Vec{});
  return sum;
}

// The same for the queries i, i + 1, ... (kLanes or fewer) of a block that begins with query `row` of the task; their
// horizontal maxima and sums take fewer steps together. Returns the factors that bring what was summed before to the
// new maxima.
template <class Weighting, class Unit, class Visible>
Vec weigh_rows(const Matrix<float>& scores, const Matrix<Unit>& weights, int64_t i, int64_t count,
               const Visible& visible, int64_t columns, float scale, const RowStates& states, int64_t row) {
  float *const max_of_rows = states.max + row + i, *const sum_of_rows = states.sum + row + i;
  Vec rows[kLanes];
  for (int64_t r = 0; r < kLanes; ++r)
    rows[r] = r < count ? top_of_row<Weighting>(scores.at(i + r, 0), visible(i + r)) : broadcast(kNoScore);
  const Vec before = load(max_of_rows);
  const Vec now = max(before, reduce_rows(rows, [](Vec a, Vec b) { return max(a, b); }) * scale);
  store(max_of_rows, now);
  for (int64_t r = 0; r < kLanes; ++r)
    rows[r] = r < count ? weigh_row<Weighting>(scores.at(i + r, 0), weights.at(i + r, 0), visible(i + r), columns,
                                               scale, max_of_rows[r])
                        : Vec{};
  const Vec rescale = exp2<true>(before - now);
  store(sum_of_rows, load(sum_of_rows) * rescale + reduce_rows(rows, [](Vec a, Vec b) { return a + b; }));
  return rescale;
}

template <class Unit>
struct ForwardMemory {
  int64_t depth, columns, keys;  // padded head_dim and keys of a block
  RowStates states;              // of every query of the task, and what weigh_rows touches behind them
  float *scores, *out;           // [kForwardQueries, keys], [queries, columns]
  Unit *weights, *q, *k, *v;

  ForwardMemory(Arena& arena, const HeadShape& shape) {
    columns = round_up(shape.head_dim, kPad<Unit>);
    depth = columns / kDepth<Unit>;
    keys = round_up(smaller(shape.length, kKeyBlock), kPad<Unit>);
    const int64_t queries = round_up(smaller(shape.length, kTaskRows), kPad<Unit>);
    states = {arena.take<float>(queries + kLanes), arena.take<float>(queries + kLanes)};
    out = arena.take<float>(queries * columns);
    scores = arena.take<float>(kForwardQueries<Unit> * keys);
    weights = kDepth<Unit> == 1 ? reinterpret_cast<Unit*>(scores) : arena.take<Unit>(kForwardQueries<Unit> * keys);
    q = arena.take<Unit>(kForwardQueries<Unit> * depth);
    k = arena.take<Unit>(packed_size(depth, keys));
    v = arena.take<Unit>(packed_size(keys / kDepth<Unit>, columns));
  }
};

template <class Unit>
int64_t forward_workspace(const HeadShape& shape) {
  Arena arena(nullptr);
  ForwardMemory<Unit>(arena, shape);
  return arena.used();
}

template <class Weighting, class T, class Unit>
void forward(const ForwardTask& task, void* workspace) {
  [[maybe_unused]] const TileScope tiles;
  const Head& head = task.head;
  const int64_t dim = head.shape.head_dim, queries = task.last_query - task.first_query;
  Arena arena(workspace);
  const ForwardMemory<Unit> memory(arena, head.shape);
  const Rows<T> q = rows_of<T>(head.q, head).from(task.first_query, task.last_query);
  const Rows<T> k = rows_of<T>(head.k, head), v = rows_of<T>(head.v, head);
  const float scale = head.scale * kLog2E;

  for (int64_t i = 0; i < queries + kLanes; ++i) memory.states.max[i] = kNoScore, memory.states.sum[i] = 0;
  const Matrix<float> out = plain(memory.out, memory.columns);
  fill_zero(out, queries, memory.columns);

  const int64_t keys = head.causal ? smaller(head.keys, task.last_query) : head.keys;
  for (int64_t first = 0; first < keys; first += kKeyBlock) {
    const int64_t last = smaller(first + kKeyBlock, keys), columns = round_up(last - first, kPad<Unit>);
    const Matrix<Unit> packed_k = packed(memory.k, memory.depth);
    const Matrix<Unit> packed_v = packed(memory.v, columns / kDepth<Unit>);
    pack_transposed(packed_k, columns, memory.depth, along_rows<Unit>(k.from(first, last)));
    pack(packed_v, columns / kDepth<Unit>, memory.columns, along_columns<Unit>(v.from(first, last)));

    for (int64_t row = 0; row < queries; row += kForwardQueries<Unit>) {
      const int64_t count = smaller(kForwardQueries<Unit>, queries - row);
      const int64_t query = task.first_query + row;
      const auto visible = [&](int64_t i) {  // keys of this block
        return head.causal ? smaller(larger(query + i + 1 - first, int64_t{0}), last - first) : last - first;
      };
      const int64_t seen = round_up(visible(count - 1), kPad<Unit>);
      if (seen == 0) continue;
      Prefetcher ahead(kRowsPerTile<Unit>);
      if (first == 0) {  // the next task is likely the next head
        const Rows<T> inputs[] = {k, v, q};
        for (const Rows<T>& rows : inputs) ahead.will_read(rows.from(row, row + count).next_head());
        if (!task.past_caches)
          ahead.will_write(
              Rows<T>{static_cast<const T*>(task.out) + query * task.out_stride, task.out_stride, count, dim});
      }
      const Matrix<Unit> packed_q = plain(memory.q, memory.depth);
      pack(packed_q, kDepth<Unit> == 1 ? count : round_up(count, kLanes), memory.depth,
           along_rows<Unit>(q.from(row, row + count)));
      const Matrix<float> scores = plain(memory.scores, seen);
      multiply<Unit>(scores, {packed_q, packed_k, count, seen, memory.depth}, false, ahead);
      const Matrix<Unit> weights = plain(memory.weights, seen / kDepth<Unit>);
      for (int64_t i = 0; i < count; i += kLanes) {
        const int64_t some = smaller<int64_t>(kLanes, count - i);
        float rescale[kLanes];
        store(rescale, weigh_rows<Weighting>(scores, weights, i, some, visible, seen, scale, memory.states, row));
        if (first == 0) continue;
        for (int64_t r = 0; r < some; ++r)
          for (int64_t c = 0; c < memory.columns; c += kLanes) {
            float* sum = out.at(row + i + r, c);
            store(sum, load(sum) * rescale[r]);
          }
      }
      const Matrix<float> out_rows = plain(out.at(row, 0), memory.columns);
      const int64_t depth = kDepth<Unit> == 1 ? visible(count - 1) : seen / kDepth<Unit>;
      multiply<Unit>(out_rows, {weights, packed_v, count, memory.columns, depth}, true, ahead);
    }
  }

  for (int64_t i = 0; i < queries; ++i) {
    const float sum = memory.states.sum[i], normalizer = sum > 0 ? 1 / sum : 0;  // no key: no output
    write_rows(plain(out.at(i, 0), memory.columns), 1, dim, normalizer,
               static_cast<T*>(task.out) + (task.first_query + i) * task.out_stride, task.out_stride, task.past_caches);
    task.statistics.max[task.first_query + i] = memory.states.max[i];
    task.statistics.normalizer[task.first_query + i] = normalizer;
  }
  finish_streams();
}

}  // namespace
}  // namespace uvic
