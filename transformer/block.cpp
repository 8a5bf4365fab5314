#include "transformer/block.h"

#include <cmath>

#include "transformer/kernels/block_ops.h"

namespace uvic {

// The fused operations are for CPU and float32 parameters, as trained; the matrices may stand in the type of the
// products.
bool Block::has_operations_for(const Tensor& x) const {
  return fused && x.is_cpu() && norm1.weight.scalar_type() == at::kFloat;
}

Tensor Block::join(const Tensor& x, const Tensor& skip) const {
  if (!skip_linear) return x;
  return has_operations_for(x) ? join_skip(x, skip, *skip_linear) : (*skip_linear)(at::cat({x, skip}, -1));
}

Qkv Block::project(const Tensor& x) const {
  const Tensor projected = has_operations_for(x) ? norm_linear(x, norm1, qkv) : qkv(norm1(x));
  return unpack(projected.view({x.size(0), x.size(1), 3, heads, -1}));
}

Tensor Block::attend(const Qkv& in, const VisibleKeys& visible) const {
  const AttendOptions options{.scale = 1 / std::sqrt(static_cast<double>(in.q.size(3))), .keys = visible};
  return (fused ? fused_attention(*kind, in, options) : kind->reference(in, options)).flatten(2);
}

Tensor Block::finish(const Tensor& x, const Tensor& mixed) const {
  if (has_operations_for(x)) return project_and_mlp(x, mixed, proj, norm2, fc1, fc2);
  const Tensor y = x + proj(mixed);
  return y + fc2(at::gelu(fc1(norm2(y))));
}

Tensor Block::operator()(const Tensor& x, const Tensor& skip, const VisibleKeys& visible) const {
  const Tensor joined = join(x, skip);
  return finish(joined, attend(project(joined), visible));
}

}  // namespace uvic
