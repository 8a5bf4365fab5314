// Inputs for attention kernels, and what comes out of them.
#pragma once

#include <cmath>

#include "core/random.h"
#include "transformer/attention.h"

namespace uvic {

struct Shape {
  int64_t length, dim;
  int64_t batch = 2, heads = 2;
};

struct Problem {
  Tensor qkv, d_out;
  AttendOptions options;
};

// Normal noise, but for the last component of queries and keys, which gives every score +-1, more than the noise does:
// Cog Attention jumps where a score changes its sign, so rounding must not decide on one.
inline Problem make_problem(const Shape& shape, at::ScalarType dtype = at::kFloat) {
  at::Generator generator = make_generator(7, Stream::kNoise, static_cast<uint64_t>(1000 * shape.length + shape.dim));
  const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kFloat); };
  Problem p;
  p.options.scale = 1 / std::sqrt(static_cast<double>(shape.dim));
  p.qkv = draw({shape.batch, shape.length, 3, shape.heads, shape.dim});
  p.qkv.narrow(2, 0, 2).mul_(0.4);
  Tensor last = p.qkv.narrow(2, 0, 2).select(-1, shape.dim - 1);
  last.copy_(last.sign() / std::sqrt(p.options.scale));
  p.qkv = p.qkv.to(dtype);
  p.d_out = draw({shape.batch, shape.length, shape.heads, shape.dim}).to(dtype);
  return p;
}

struct Result {
  Tensor out, d_qkv;
};

template <class Function>
Result run(const Problem& p, const Function& function, at::ScalarType dtype) {
  const Tensor qkv = p.qkv.to(dtype, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
  const Tensor out = function(qkv, p.options);
  out.backward(p.d_out.to(dtype));
  return {out.detach(), qkv.grad()};
}

inline double distance(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace uvic
