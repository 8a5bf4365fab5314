// Attention forward: an online softmax over blocks of keys, each for all blocks of queries.
#pragma once

#include "transformer/kernels/simd/blocks.h"
#include "transformer/kernels/simd/vector_product.h"
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

// The lanes of a vector that count.
struct AllLanesSeen {};
inline Vec choose(AllLanesSeen, Vec seen, Vec) {
  return seen;
}
inline Vec choose(IntVec lanes, Vec seen, Vec hidden) {
  return lanes ? seen : hidden;
}

// f(column, lanes) for every vector that holds some of the columns, those that hold others too behind the rest.
template <class Function>
void each_vector(const Interval& columns, const Function& f) {
  if (columns.is_empty()) return;
  const int64_t begin = columns.first / kLanes * kLanes, whole = round_up(columns.first, kLanes);
  const int64_t end = columns.last / kLanes * kLanes;
  for (int64_t c = whole; c < end; c += kLanes) f(c, AllLanesSeen{});
  int64_t partial[2];
  int partials = 0;
  if (begin < whole) partial[partials++] = begin;
  if (whole <= end && end < columns.last) partial[partials++] = end;
  for (int i = 0; i < partials; ++i)
    f(partial[i], (lane_numbers() >= static_cast<int32_t>(columns.first - partial[i])) &
                      (lane_numbers() < static_cast<int32_t>(columns.last - partial[i])));
}

template <class Weighting>
Vec top_of_row(const float* scores, const Interval& seen) {
  Vec top = broadcast(kNoScore);
  each_vector(seen, [&](int64_t c, auto lanes) {
    top = max(top, choose(lanes, Weighting::magnitude(load(scores + c)), broadcast(kNoScore)));
  });
  return top;
}

// Scores of one query (in place, or to `weights`) -> exp(magnitude - max) with the sign of the weight, 0 in the other
// columns. Returns the sum of the exponentials, by lanes.
template <class Weighting, class Unit>
Vec weigh_row(const float* scores, Unit* weights, const Interval& seen, int64_t columns, float scale, float row_max) {
  Vec sum{};
  const Vec minus_max = broadcast(-row_max);
  const int64_t begin = seen.is_empty() ? columns : seen.first / kLanes * kLanes;
  const int64_t end = seen.is_empty() ? columns : round_up(seen.last, kLanes);
  for (int64_t c = 0; c < begin; c += kLanes) store_units(weights, c, Vec{});
  each_vector(seen, [&](int64_t c, auto lanes) {
    const Vec score = load(scores + c);
    const Vec share = choose(lanes, exp2<kDepth<Unit> == 1>(Weighting::magnitude(score) * scale + minus_max), Vec{});
    sum += share;
    store_units(weights, c, Weighting::weight(share, score));
  });
  for (int64_t c = end; c < columns; c += kLanes) store_units(weights, c, Vec{});
  return sum;
}

// The same for the queries i, i + 1, ... (kLanes or fewer) of a block that begins with query `row` of the task; their
// horizontal maxima and sums take fewer steps together. Returns the factors that bring what was summed before to the
// new maxima.
template <class Weighting, class Unit, class Seen>
Vec weigh_rows(const Matrix<float>& scores, const Matrix<Unit>& weights, int64_t i, int64_t count, const Seen& seen,
               int64_t columns, float scale, const RowStates& states, int64_t row) {
  float *const max_of_rows = states.max + row + i, *const sum_of_rows = states.sum + row + i;
  Vec rows[kLanes];
  for (int64_t r = 0; r < kLanes; ++r)
    rows[r] = r < count ? top_of_row<Weighting>(scores.at(i + r, 0), seen(i + r)) : broadcast(kNoScore);
  const Vec before = load(max_of_rows);
  const Vec now = max(before, reduce_rows(rows, [](Vec a, Vec b) { return max(a, b); }) * scale);
  store(max_of_rows, now);
  for (int64_t r = 0; r < kLanes; ++r)
    rows[r] = r < count ? weigh_row<Weighting>(scores.at(i + r, 0), weights.at(i + r, 0), seen(i + r), columns, scale,
                                               max_of_rows[r])
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
    keys = round_up(smaller(shape.keys, kKeyBlock), kPad<Unit>);
    const int64_t queries = round_up(smaller(shape.queries, kTaskRows), kPad<Unit>);
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

// One task: T in memory, products of Units.
template <class Weighting, class T, class Unit>
class Forward {
 public:
  Forward(const ForwardTask& task, void* workspace) : task_(task), arena_(workspace), memory_(arena_, head_.shape) {}

  void run() {
    [[maybe_unused]] const TileScope tiles;
    for (int64_t i = 0; i < queries_ + kLanes; ++i) memory_.states.max[i] = kNoScore, memory_.states.sum[i] = 0;
    fill_zero(out_, queries_, memory_.columns);
    add_keys({0, head_.prefix}, true);
    add_keys(Sight(head_, task_.first_query, task_.last_query).any, !head_.first);
    for (int64_t i = 0; i < queries_; ++i) write_row(i);
    finish_streams();
  }

 private:
  // Block after block.
  void add_keys(const Interval& keys, bool seen_by_all) {
    for (int64_t first = keys.first; first < keys.last; first += kKeyBlock) {
      add_block({first, smaller(first + kKeyBlock, keys.last)}, seen_by_all);
      is_first_ = false;
    }
  }

  void add_block(const Interval& block, bool seen_by_all) {
    if constexpr (kDepth<Unit> == 1 && sizeof(T) == sizeof(float))
      if (queries_ == 1 && seen_by_all) return add_to_one(block);
    const int64_t columns = round_up(block.last - block.first, kPad<Unit>);
    const Matrix<Unit> k = packed(memory_.k, memory_.depth), v = packed(memory_.v, columns / kDepth<Unit>);
    pack_transposed(k, columns, memory_.depth, along_rows<Unit>(k_.from(block.first, block.last)));
    pack(v, columns / kDepth<Unit>, memory_.columns, along_columns<Unit>(v_.from(block.first, block.last)));
    for (int64_t row = 0; row < queries_; row += kForwardQueries<Unit>)
      add_queries(row, smaller(kForwardQueries<Unit>, queries_ - row), block, seen_by_all, k, v);
  }

  // The keys of a block to the only query, without packing.
  void add_to_one(const Interval& block) {
    const int64_t count = block.last - block.first, dim = head_.shape.head_dim;
    vector_by_columns(dim, q_.data, k_.data + block.first * k_.stride, k_.stride, count, memory_.scores);
    const Matrix<float> scores = plain(memory_.scores, memory_.keys);
    const auto seen = [&](int64_t) { return Interval{0, count}; };
    float rescale[kLanes];
    store(rescale, weigh_rows<Weighting>(scores, plain(memory_.weights, memory_.keys), 0, 1, seen,
                                         round_up(count, kPad<Unit>), scale_, memory_.states, 0));
    for (int64_t c = 0; c < memory_.columns && !is_first_; c += kLanes)
      store(out_.at(0, c), load(out_.at(0, c)) * rescale[0]);
    vector_by_rows(count, memory_.weights, v_.data + block.first * v_.stride, v_.stride, dim, true, out_.at(0, 0));
  }

  // `count` queries, from `row` of the task on, and the packed keys of a block.
  void add_queries(int64_t row, int64_t count, const Interval& block, bool seen_by_all, const Matrix<Unit>& packed_k,
                   const Matrix<Unit>& packed_v) {
    const int64_t query = task_.first_query + row;
    const Interval any = seen_by_all ? block : intersection(Sight(head_, query, query + count).any, block);
    if (any.is_empty()) return;
    // Of the block the columns from a panel on.
    const int64_t begin = (any.first - block.first) / kPanel * kPanel, first = block.first + begin;
    const int64_t last = any.last - first, columns = round_up(last, kPad<Unit>);
    const auto seen = [&](int64_t i) {
      if (seen_by_all) return Interval{0, last};
      const Interval all = intersection({head_.first[query + i], head_.last[query + i]}, block);
      return Interval{all.first - first, all.last - first};
    };
    Prefetcher ahead = prefetcher(row, count);
    const Matrix<Unit> packed_q = plain(memory_.q, memory_.depth);
    pack(packed_q, kDepth<Unit> == 1 ? count : round_up(count, kLanes), memory_.depth,
         along_rows<Unit>(q_.from(row, row + count)));
    const Matrix<float> scores = plain(memory_.scores, columns);
    const Matrix<Unit> keys{packed_k.at(0, begin), packed_k.row_stride, packed_k.panel_stride};
    multiply<Unit>(scores, {packed_q, keys, count, columns, memory_.depth}, false, ahead);
    const Matrix<Unit> weights = plain(memory_.weights, columns / kDepth<Unit>);
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t some = smaller<int64_t>(kLanes, count - i);
      float rescale[kLanes];
      store(rescale, weigh_rows<Weighting>(scores, weights, i, some, seen, columns, scale_, memory_.states, row));
      if (is_first_) continue;
      for (int64_t r = 0; r < some; ++r)
        for (int64_t c = 0; c < memory_.columns; c += kLanes) {
          float* sum = out_.at(row + i + r, c);
          store(sum, load(sum) * rescale[r]);
        }
    }
    const Matrix<Unit> values{packed_v.at(begin / kDepth<Unit>, 0), packed_v.row_stride, packed_v.panel_stride};
    const int64_t depth = kDepth<Unit> == 1 ? last : columns / kDepth<Unit>;
    multiply<Unit>(plain(out_.at(row, 0), memory_.columns), {weights, values, count, memory_.columns, depth}, true,
                   ahead);
  }

  // Of the first block: rows of the next task, which is likely the next head, and the rows that will be written.
  Prefetcher prefetcher(int64_t row, int64_t count) const {
    Prefetcher ahead(kRowsPerTile<Unit>);
    if (!is_first_) return ahead;
    ahead.will_read(q_.from(row, row + count).next_head());
    if (k_.count == head_.shape.queries) {  // as many keys as queries
      const int64_t first = task_.first_query + row;
      ahead.will_read(k_.from(first, first + count).next_head());
      ahead.will_read(v_.from(first, first + count).next_head());
    }
    if (!task_.past_caches) ahead.will_write(Rows<T>{out_row(row), task_.out_stride, count, head_.shape.head_dim});
    return ahead;
  }

  T* out_row(int64_t row) const { return static_cast<T*>(task_.out) + (task_.first_query + row) * task_.out_stride; }

  void write_row(int64_t row) const {
    const float sum = memory_.states.sum[row], normalizer = sum > 0 ? 1 / sum : 0;  // no key: no output
    write_rows(plain(out_.at(row, 0), memory_.columns), 1, head_.shape.head_dim, normalizer, out_row(row),
               task_.out_stride, task_.past_caches);
    task_.statistics.max[task_.first_query + row] = memory_.states.max[row];
    task_.statistics.normalizer[task_.first_query + row] = normalizer;
  }

  const ForwardTask& task_;
  const Head& head_ = task_.head;
  Arena arena_;
  const ForwardMemory<Unit> memory_;
  const int64_t queries_ = task_.last_query - task_.first_query;
  const float scale_ = head_.scale * kLog2E;
  const Rows<T> q_ = queries_of<T>(head_.q, head_.q_stride, head_).from(task_.first_query, task_.last_query);
  const Rows<T> k_ = keys_of<T>(head_.k, head_.k_stride, head_), v_ = keys_of<T>(head_.v, head_.v_stride, head_);
  const Matrix<float> out_ = plain(memory_.out, memory_.columns);
  bool is_first_ = true;  // no keys were added yet
};

template <class Weighting, class T, class Unit>
void forward(const ForwardTask& task, void* workspace) {
  Forward<Weighting, T, Unit>(task, workspace).run();
}

}  // namespace
}  // namespace uvic
