#include "transformer/block.h"

#include <cmath>

#include "transformer/kernels/block_ops.h"

namespace uvic {

Tensor Block::operator()(const Tensor& x, const Tensor& skip) const {
  // The fused parts are for CPU and float32 parameters, as trained; the matrices may stand in the type of the products.
  const bool on_cpu = x.is_cpu() && norm1.weight.scalar_type() == at::kFloat;
  return fused && on_cpu ? in_parts(x, skip) : plain(x, skip);
}

Tensor Block::attention(const Tensor& projected) const {
  const int64_t batch = projected.size(0), length = projected.size(1), head_dim = projected.size(2) / (3 * heads);
  const AttendOptions options{.scale = 1 / std::sqrt(static_cast<double>(head_dim))};
  const Qkv packed = unpack(projected.view({batch, length, 3, heads, head_dim}));
  return (fused ? fused_attention(*kind, packed, options) : kind->reference(packed, options)).flatten(2);
}

Tensor Block::plain(Tensor x, const Tensor& skip) const {
  if (skip_linear) x = (*skip_linear)(at::cat({x, skip}, -1));
  x = x + proj(attention(qkv(norm1(x))));
  return x + fc2(at::gelu(fc1(norm2(x))));
}

Tensor Block::in_parts(Tensor x, const Tensor& skip) const {
  if (skip_linear) x = join_skip(x, skip, *skip_linear);
  return project_and_mlp(x, attention(norm_linear(x, norm1, qkv)), proj, norm2, fc1, fc2);
}

}  // namespace uvic
