// Inputs for attention kernels, and what comes out of them.
#pragma once

#include <cmath>

#include "core/random.h"
#include "transformer/attention.h"

namespace uvic {

struct Shape {
  int64_t length, dim;
  int64_t batch = 2, heads = 2;
  int64_t queries = 0;  // 0: as many as keys
};

struct Problem {
  Tensor qkv;  // [B, L, 3, H, D], of which the last `queries` rows are queries
  int64_t queries;
  Tensor d_out;
  AttendOptions options;

  // Packed if every token is a query.
  Qkv inputs(const Tensor& packed) const {
    Qkv all = unpack(packed);
    if (queries == packed.size(1)) return all;
    return {all.q.narrow(1, packed.size(1) - queries, queries), all.k, all.v};
  }
  Qkv inputs() const { return inputs(qkv); }
};

// Normal noise, but for the last component of queries and keys, which gives every score +-1, more than the noise does:
// Cog Attention jumps where a score changes its sign, so rounding must not decide on one.
inline Problem make_problem(const Shape& shape, at::ScalarType dtype = at::kFloat) {
  at::Generator generator = make_generator(7, Stream::kNoise, static_cast<uint64_t>(1000 * shape.length + shape.dim));
  const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kFloat); };
  Problem p;
  p.queries = shape.queries > 0 ? shape.queries : shape.length;
  p.options.scale = 1 / std::sqrt(static_cast<double>(shape.dim));
  p.qkv = draw({shape.batch, shape.length, 3, shape.heads, shape.dim});
  p.qkv.narrow(2, 0, 2).mul_(0.4);
  Tensor last = p.qkv.narrow(2, 0, 2).select(-1, shape.dim - 1);
  last.copy_(last.sign() / std::sqrt(p.options.scale));
  p.qkv = p.qkv.to(dtype);
  p.d_out = draw({shape.batch, p.queries, shape.heads, shape.dim}).to(dtype);
  return p;
}

// Masks of every kind for that many keys, of which the last `queries` have queries.
inline std::vector<std::pair<std::string, VisibleKeys>> all_masks(int64_t queries, int64_t length) {
  const auto tail = [&](VisibleKeys keys) {  // of the last queries
    keys.first = keys.first.narrow(1, length - queries, queries);
    keys.last = keys.last.narrow(1, length - queries, queries);
    return keys;
  };
  const int64_t block = std::max<int64_t>(1, length / 5), prefix = std::min<int64_t>(length, 3);
  Tensor begins = at::zeros({2, length}, at::kBool);
  begins.slice(1, 1, std::nullopt, 3).slice(0, 0, 1).fill_(true);
  begins.slice(1, length / 2, length / 2 + 1).slice(0, 1, 2).fill_(true);
  at::Generator generator = make_generator(11, Stream::kNoise, static_cast<uint64_t>(length));
  const auto draw = [&](int64_t low, int64_t high) {
    return at::randint(low, high, {2, queries}, generator, at::kLong);
  };
  const Tensor first = draw(-2, length + 1), last = first + draw(-2, length / 2 + 2);  // some are empty, some stick out
  return {{"all", {}},
          {"causal", causal_keys(queries, length)},
          {"key lengths", first_keys(at::tensor({length, (length + 1) / 2}, at::kLong), queries)},
          {"documents", tail(document_keys(begins))},
          {"block window", tail(block_window_keys(length, block, 1))},
          {"window of both sides behind a prefix", tail(block_window_keys(length, block, 1, prefix, true))},
          {"any intervals", {.first = first, .last = last}},
          {"any intervals behind a prefix", {.prefix = prefix, .first = first, .last = last}},
          {"any intervals behind a long prefix", {.prefix = 2 * length / 3, .first = first, .last = last}}};
}

struct Result {
  Tensor out, d_qkv;
};

template <class Function>
Result run(const Problem& p, const Function& function, at::ScalarType dtype) {
  const Tensor qkv = p.qkv.to(dtype, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
  const Tensor out = function(p.inputs(qkv), p.options);
  out.backward(p.d_out.to(dtype));
  return {out.detach(), qkv.grad()};
}

inline double distance(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace uvic
