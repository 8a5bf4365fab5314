// Attention forward: an online softmax over blocks of keys, each for all blocks of queries.
#pragma once

#include "unet_vit/kernels/simd/blocks.h"
#include "unet_vit/kernels/simd/weighting.h"

namespace uvic {
namespace {

// Less than any score, and finite, so that differences are.
constexpr float kNoScore = -1e30f;

// Whole register tiles, or whole AMX tiles.
template <class Unit>
constexpr int64_t kForwardQueries = kDepth<Unit> == 1 ? 48 : 64;

// Running state of the softmax of one query.
struct RowState {
  float max = kNoScore, sum = 0;
};

// Scores of one query (in place, or to `weights`) -> exp(magnitude - max) with the sign of the weight, 0 from `visible`
// to `columns`. Returns the factor that brings what was summed before to the new maximum.
template <class Weighting, class Unit>
float weigh_row(const float* scores, Unit* weights, int64_t visible, int64_t columns, float scale, RowState& state) {
  const int64_t whole = visible / kLanes * kLanes;
  const IntVec in_tail = lane_numbers() < static_cast<int32_t>(visible - whole);
  Vec top = broadcast(kNoScore);
  for (int64_t c = 0; c < whole; c += kLanes) top = max(top, Weighting::magnitude(load(scores + c)));
  if (whole < visible) top = max(top, in_tail ? Weighting::magnitude(load(scores + whole)) : broadcast(kNoScore));
  const float before = state.max;
  state.max = larger(before, max_of(top) * scale);

  Vec sum{};
  const Vec minus_max = broadcast(-state.max);
  const auto weigh = [&](int64_t c, auto keep) {
    const Vec score = load(scores + c);
    const Vec share = keep(exp2<kDepth<Unit> == 1>(Weighting::magnitude(score) * scale + minus_max));
    sum += share;
    store_units(weights, c, Weighting::weight(share, score));
  };
  for (int64_t c = 0; c < whole; c += kLanes) weigh(c, [](Vec share) { return share; });
  int64_t c = whole;
  if (whole < visible) weigh(whole, [&](Vec share) { return in_tail ? share : Vec{}; }), c += kLanes;
  for (; c < columns; c += kLanes) store_units(weights, c, Vec{});

  const float rescale = exp2<true>(broadcast(before - state.max))[0];
  state.sum = state.sum * rescale + sum_of(sum);
  return rescale;
}

template <class Unit>
struct ForwardMemory {
  int64_t depth, columns, keys;  // padded head_dim and keys of a block
  RowState* states;              // of every query of the task
  float *scores, *out;           // [kForwardQueries, keys], [queries, columns]
  Unit *weights, *q, *k, *v;

  ForwardMemory(Arena& arena, const HeadShape& shape) {
    columns = round_up(shape.head_dim, kPad<Unit>);
    depth = columns / kDepth<Unit>;
    keys = round_up(smaller(shape.length, kKeyBlock), kPad<Unit>);
    const int64_t queries = round_up(smaller(shape.length, kTaskRows), kPad<Unit>);
    states = arena.take<RowState>(queries);
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

  for (int64_t i = 0; i < queries; ++i) memory.states[i] = {};
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
      // The next task is likely the next head.
      prefetch<0>(k.from(row, row + count).next_head());
      prefetch<0>(v.from(row, row + count).next_head());
      prefetch<0>(q.from(row, row + count).next_head());
      prefetch<1>(Rows<T>{static_cast<const T*>(task.out) + query * task.out_stride, task.out_stride, count, dim});
      const Matrix<Unit> packed_q = plain(memory.q, memory.depth);
      pack(packed_q, round_up(count, kLanes), memory.depth, along_rows<Unit>(q.from(row, row + count)));
      const Matrix<float> scores = plain(memory.scores, seen);
      multiply<Unit>(scores, {packed_q, packed_k, count, seen, memory.depth}, false);
      const Matrix<Unit> weights = plain(memory.weights, seen / kDepth<Unit>);
      for (int64_t i = 0; i < count; ++i) {
        const float rescale =
            weigh_row<Weighting>(scores.at(i, 0), weights.at(i, 0), visible(i), seen, scale, memory.states[row + i]);
        if (first == 0) continue;
        for (int64_t c = 0; c < memory.columns; c += kLanes) {
          float* sum = out.at(row + i, c);
          store(sum, load(sum) * rescale);
        }
      }
      const Matrix<float> out_rows = plain(out.at(row, 0), memory.columns);
      multiply<Unit>(out_rows, {weights, packed_v, count, memory.columns, seen / kDepth<Unit>}, true);
    }
  }

  for (int64_t i = 0; i < queries; ++i) {
    const RowState& state = memory.states[i];
    const float normalizer = state.sum > 0 ? 1 / state.sum : 0;  // no key: no output
    T* to = static_cast<T*>(task.out) + (task.first_query + i) * task.out_stride;
    for (int64_t c = 0; c < dim; c += kLanes) store_floats(to + c, load(out.at(i, c)) * normalizer, dim - c);
    task.statistics.max[task.first_query + i] = state.max;
    task.statistics.normalizer[task.first_query + i] = normalizer;
  }
}

}  // namespace
}  // namespace uvic
