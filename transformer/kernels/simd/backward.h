// Attention backward: weights are computed again from the scores and the saved statistics of their rows.
//
// Scores are taken transposed, keys down and queries across, so that the statistics are vectors, and
//   dV += A^T dO,   dK += dP^T Q,   dQ^T += K^T dP^T
// need no transposition of anything L x L.
#pragma once

#include "transformer/kernels/simd/blocks.h"

namespace uvic {
namespace {

constexpr int64_t kBackwardQueries = 64;

// Of a block of queries; zero behind the last one, which makes its weights zero.
struct alignas(64) QueryStatistics {
  float minus_max[kBackwardQueries], normalizer[kBackwardQueries], row_dot[kBackwardQueries];
  int32_t first[kBackwardQueries], last[kBackwardQueries];  // keys that each query sees
};

// Scores and gradients of weights of one key -> weights and gradients of scores, 0 for queries that do not see it.
template <class Weighting, class Unit>
void weigh_key(const float* scores, const float* d_weights, Unit* weights, Unit* d_scores, int64_t key,
               bool seen_by_all, int64_t columns, float scale, const QueryStatistics& statistics) {
  const auto weigh = [&](int64_t c, auto keep) {
    const Vec score = load(scores + c);
    const Vec exponent = Weighting::magnitude(score) * scale + load(statistics.minus_max + c);
    const Vec share = keep(exp2<kDepth<Unit> == 1>(exponent) * load(statistics.normalizer + c));
    store_units(weights, c, Weighting::weight(share, score));
    store_units(d_scores, c,
                keep(Weighting::score_gradient(share, score, load(d_weights + c), load(statistics.row_dot + c))));
  };
  if (seen_by_all) {
    for (int64_t c = 0; c < columns; c += kLanes) weigh(c, [](Vec x) { return x; });
    return;
  }
  const IntVec number = IntVec{} + static_cast<int32_t>(key);
  for (int64_t c = 0; c < columns; c += kLanes) {
    const IntVec seen = (load<IntVec>(statistics.first + c) <= number) & (number < load<IntVec>(statistics.last + c));
    weigh(c, [&](Vec x) { return seen ? x : Vec{}; });
  }
}

template <class Unit>
struct BackwardMemory {
  static constexpr int kDeep = kDepth<Unit>;

  int64_t columns, depth, keys;  // padded head_dim, in units, and padded keys of a block
  QueryStatistics* statistics;
  float* d_q_transposed;                  // [blocks of queries, columns, kBackwardQueries]
  float *d_q, *d_k, *d_v;                 // [kBackwardQueries or keys, columns]
  float *scores, *d_weights;              // [keys, kBackwardQueries]
  Unit *weights, *d_scores;               // the same; float32 takes their place
  Unit* d_scores_by_key;                  // [keys / kDeep, kBackwardQueries]; float32: d_scores
  Unit *k, *v, *k_transposed;             // [keys, depth], [columns, keys / kDeep]
  Unit *q_transposed, *d_out_transposed;  // [depth, kBackwardQueries]
  Unit *q, *d_out;                        // [kBackwardQueries / kDeep, columns]

  BackwardMemory(Arena& arena, const HeadShape& shape) {
    columns = round_up(shape.head_dim, kPad<Unit>);
    depth = columns / kDeep;
    keys = round_up(smaller(shape.keys, kKeyBlock), kPad<Unit>);
    statistics = arena.take<QueryStatistics>(1);
    d_q_transposed = arena.take<float>(round_up(shape.queries, kBackwardQueries) * columns);
    d_q = arena.take<float>(kBackwardQueries * columns);
    d_k = arena.take<float>(keys * columns);
    d_v = arena.take<float>(keys * columns);
    scores = arena.take<float>(keys * kBackwardQueries);
    d_weights = arena.take<float>(keys * kBackwardQueries);
    if constexpr (kDeep == 1) {
      weights = scores;
      d_scores = d_scores_by_key = d_weights;
    } else {
      weights = arena.take<Unit>(keys * kBackwardQueries / kDeep);
      d_scores = arena.take<Unit>(keys * kBackwardQueries / kDeep);
      d_scores_by_key = arena.take<Unit>(keys * kBackwardQueries / kDeep);
    }
    k = arena.take<Unit>(keys * depth);
    v = arena.take<Unit>(keys * depth);
    k_transposed = arena.take<Unit>(columns * keys / kDeep);
    q_transposed = arena.take<Unit>(packed_size(depth, kBackwardQueries));
    d_out_transposed = arena.take<Unit>(packed_size(depth, kBackwardQueries));
    q = arena.take<Unit>(packed_size(kBackwardQueries / kDeep, columns));
    d_out = arena.take<Unit>(packed_size(kBackwardQueries / kDeep, columns));
  }
};

template <class Unit>
int64_t backward_workspace(const HeadShape& shape) {
  Arena arena(nullptr);
  BackwardMemory<Unit>(arena, shape);
  return arena.used();
}

// One task: T in memory, products of Units.
template <class Weighting, class T, class Unit>
class Backward {
 public:
  Backward(const BackwardTask& task, void* workspace)
      : task_(task), arena_(workspace), memory_(arena_, task.head.shape) {}

  void run() {
    [[maybe_unused]] const TileScope tiles;
    for (int64_t query = task_.first_query; query < task_.last_query; query += kBackwardQueries)
      fill_zero(d_q_block(query), memory_.columns, kBackwardQueries);
    for (int64_t first = task_.first_key, last; first < task_.last_key; first = last) {
      last = smaller(first + kKeyBlock, task_.last_key);
      if (first < head_.prefix) last = smaller(last, head_.prefix);
      add_keys({first, last});
    }
    for (int64_t query = task_.first_query; query < task_.last_query; query += kBackwardQueries)
      write_queries(query, smaller(kBackwardQueries, task_.last_query - query));
    finish_streams();
  }

 private:
  void add_keys(const Interval& block) {
    const int64_t rows = round_up(block.last - block.first, kPad<Unit>);
    const Rows<T> k = keys_of<T>(head_.k, head_.k_stride, head_).from(block.first, block.last);
    const Rows<T> v = keys_of<T>(head_.v, head_.v_stride, head_).from(block.first, block.last);
    pack(k_, rows, memory_.depth, along_rows<Unit>(k));
    pack(v_, rows, memory_.depth, along_rows<Unit>(v));
    pack_transposed(k_transposed_, rows / kDeep, memory_.columns, along_columns<Unit>(k));
    fill_zero(d_k_, rows, memory_.columns);
    fill_zero(d_v_, rows, memory_.columns);
    for (int64_t query = task_.first_query; query < task_.last_query; query += kBackwardQueries)
      add_queries(query, smaller(kBackwardQueries, task_.last_query - query), block);
    write_keys(block);
  }

  // The share of `count` queries in the gradients of a block of keys, and the other way round.
  void add_queries(int64_t query, int64_t count, const Interval& block) {
    Sight sight(head_, query, query + count);
    if (block.last <= head_.prefix) sight.any = sight.all = block;
    const Interval seen = intersection(sight.any, block);
    if (seen.is_empty()) return;
    const int64_t begin = (seen.first - block.first) / kPad<Unit> * kPad<Unit>;  // rows of the packed keys
    const int64_t first = block.first + begin, keys = seen.last - first;
    const int64_t width = round_up(count, kPad<Unit>), depth = memory_.depth, columns = memory_.columns;
    const Rows<T> q = queries_of<T>(head_.q, head_.q_stride, head_).from(query, query + count);
    const Rows<T> d_out = output_rows(task_.d_out, query, count), out = output_rows(task_.out, query, count);
    Prefetcher ahead = prefetcher(query, task_.partial_d_q || block.first > task_.first_key ? 0 : count);
    gather_statistics(query, count, out, d_out);
    pack_transposed(q_transposed_, width, depth, along_rows<Unit>(q));
    pack_transposed(d_out_transposed_, width, depth, along_rows<Unit>(d_out));
    const int64_t deep = kDeep == 1 ? count : width / kDeep;  // units along the queries
    pack(q_, deep, columns, along_columns<Unit>(q));
    pack(d_out_, deep, columns, along_columns<Unit>(d_out));

    multiply<Unit>(scores_, {from_row(k_, begin), q_transposed_, keys, width, depth}, false, ahead);
    multiply<Unit>(d_weights_, {from_row(v_, begin), d_out_transposed_, keys, width, depth}, false, ahead);
    for (int64_t i = 0; i < keys; ++i) {
      const bool seen_by_all = sight.all.first <= first + i && first + i < sight.all.last;
      weigh_key<Weighting>(scores_.at(i, 0), d_weights_.at(i, 0), weights_.at(i, 0), d_scores_.at(i, 0), first + i,
                           seen_by_all, width, head_.scale * kLog2E, *memory_.statistics);
    }
    if constexpr (kDeep == 2) {
      const int64_t whole = round_up(keys, kLanes);  // rows of tiles
      fill_zero(Matrix<Unit>{weights_.at(keys, 0), weights_.row_stride, kPanel}, whole - keys, deep);
      fill_zero(Matrix<Unit>{d_scores_.at(keys, 0), d_scores_.row_stride, kPanel}, whole - keys, deep);
      const Rows<Bf16> by_query{&memory_.d_scores->even, kBackwardQueries, keys, kBackwardQueries};
      pack(d_scores_by_key_, round_up(keys, kPad<Unit>) / kDeep, width, along_columns<Unit>(by_query));
    }
    multiply<Unit>(from_row(d_v_, begin), {weights_, d_out_, keys, columns, deep}, true, ahead);
    multiply<Unit>(from_row(d_k_, begin), {d_scores_, q_, keys, columns, deep}, true, ahead);
    const Matrix<Unit> k_transposed{k_transposed_.at(0, begin / kDeep), k_transposed_.row_stride, kPanel};
    multiply<Unit>(d_q_block(query),
                   {k_transposed, d_scores_by_key_, head_.shape.head_dim, width,
                    kDeep == 1 ? keys : round_up(keys, kPad<Unit>) / kDeep},
                   true, ahead);
  }

  template <class U>
  static Matrix<U> from_row(const Matrix<U>& matrix, int64_t row) {
    return {matrix.at(row, 0), matrix.row_stride, matrix.panel_stride};
  }

  // Rows of the next task, which is likely the next head, and the rows of this head that will be written.
  Prefetcher prefetcher(int64_t query, int64_t count) const {
    Prefetcher ahead(1);
    const bool as_many_keys = head_.shape.keys == head_.shape.queries;
    ahead.will_read(queries_of<T>(head_.q, head_.q_stride, head_).from(query, query + count).next_head());
    if (as_many_keys) {
      ahead.will_read(keys_of<T>(head_.k, head_.k_stride, head_).from(query, query + count).next_head());
      ahead.will_read(keys_of<T>(head_.v, head_.v_stride, head_).from(query, query + count).next_head());
    }
    const void* const outputs[] = {task_.out, task_.d_out};
    for (const void* rows : outputs) ahead.will_read(output_rows(rows, query, count).next_head());
    if (task_.past_caches) return ahead;
    ahead.will_write(queries_of<T>(task_.d_q, task_.d_q_stride, head_).from(query, query + count));
    if (as_many_keys) {
      ahead.will_write(keys_of<T>(task_.d_k, task_.d_k_stride, head_).from(query, query + count));
      ahead.will_write(keys_of<T>(task_.d_v, task_.d_v_stride, head_).from(query, query + count));
    }
    return ahead;
  }

  Rows<T> output_rows(const void* data, int64_t query, int64_t count) const {
    return queries_of<T>(data, task_.out_stride, head_).from(query, query + count);
  }

  void gather_statistics(int64_t query, int64_t count, const Rows<T>& out, const Rows<T>& d_out) {
    QueryStatistics& statistics = *memory_.statistics;
    statistics = {};
    const auto values = along_rows<float>(out), gradients = along_rows<float>(d_out);
    for (int64_t i = 0; i < count; ++i) {
      Vec dot{};
      for (int64_t c = 0; c < head_.shape.head_dim; c += kLanes) dot += values(i, c) * gradients(i, c);
      statistics.minus_max[i] = -task_.statistics.max[query + i];
      statistics.normalizer[i] = task_.statistics.normalizer[query + i];
      statistics.row_dot[i] = sum_of(dot);
      if (!head_.first) continue;
      statistics.first[i] = head_.first[query + i];
      statistics.last[i] = head_.last[query + i];
    }
  }

  Matrix<float> d_q_block(int64_t query) const {
    return plain(memory_.d_q_transposed + (query - task_.first_query) * memory_.columns, kBackwardQueries);
  }

  void write_keys(const Interval& block) const {
    const int64_t dim = head_.shape.head_dim, count = block.last - block.first;
    write_rows(d_k_, count, dim, head_.scale, static_cast<T*>(task_.d_k) + block.first * task_.d_k_stride,
               task_.d_k_stride, task_.past_caches);
    write_rows(d_v_, count, dim, 1, static_cast<T*>(task_.d_v) + block.first * task_.d_v_stride, task_.d_v_stride,
               task_.past_caches);
  }

  void write_queries(int64_t first, int64_t count) const {
    const int64_t dim = head_.shape.head_dim;
    const Matrix<float> transposed = d_q_block(first), rows = plain(memory_.d_q, memory_.columns);
    pack_transposed(rows, memory_.columns, round_up(count, kLanes),
                    [&](int64_t r, int64_t c) { return load(transposed.at(r, c)); });
    if (task_.partial_d_q)
      write_rows(rows, count, dim, head_.scale, task_.partial_d_q + first * dim, dim, false);
    else
      write_rows(rows, count, dim, head_.scale, static_cast<T*>(task_.d_q) + first * task_.d_q_stride, task_.d_q_stride,
                 task_.past_caches);
  }

  static constexpr int kDeep = kDepth<Unit>;
  static constexpr int64_t kBlock = kBackwardQueries;

  const BackwardTask& task_;
  const Head& head_ = task_.head;
  Arena arena_;
  const BackwardMemory<Unit> memory_;
  const Matrix<float> d_k_ = plain(memory_.d_k, memory_.columns), d_v_ = plain(memory_.d_v, memory_.columns);
  const Matrix<float> scores_ = plain(memory_.scores, kBlock), d_weights_ = plain(memory_.d_weights, kBlock);
  const Matrix<Unit> weights_ = plain(memory_.weights, kBlock / kDeep);
  const Matrix<Unit> d_scores_ = plain(memory_.d_scores, kBlock / kDeep);
  const Matrix<Unit> d_scores_by_key_ = plain(memory_.d_scores_by_key, kBlock);
  const Matrix<Unit> k_ = plain(memory_.k, memory_.depth), v_ = plain(memory_.v, memory_.depth);
  const Matrix<Unit> k_transposed_ = plain(memory_.k_transposed, memory_.keys / kDeep);
  const Matrix<Unit> q_transposed_ = packed(memory_.q_transposed, memory_.depth);
  const Matrix<Unit> d_out_transposed_ = packed(memory_.d_out_transposed, memory_.depth);
  const Matrix<Unit> q_ = packed(memory_.q, kBlock / kDeep), d_out_ = packed(memory_.d_out, kBlock / kDeep);
};

template <class Weighting, class T, class Unit>
void backward(const BackwardTask& task, void* workspace) {
  Backward<Weighting, T, Unit>(task, workspace).run();
}

}  // namespace
}  // namespace uvic
