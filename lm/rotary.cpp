#include "lm/rotary.h"

namespace uvic {

Rotation rotation(int64_t first, int64_t length, int64_t head_dim, const at::TensorOptions& options) {
  TORCH_CHECK(head_dim % 2 == 0, "rotary positions take heads of even width, got ", head_dim);
  const Tensor pair = at::arange(head_dim / 2, at::kDouble) * (-2.0 / static_cast<double>(head_dim));
  const Tensor positions = at::arange(first, first + length, at::kDouble);
  const Tensor angles = at::outer(positions, at::pow(10000.0, pair));
  return {angles.cos().to(options), angles.sin().to(options)};
}

Tensor rotate(const Tensor& x, const Rotation& by) {
  const std::vector<Tensor> pairs = x.unflatten(-1, {-1, 2}).unbind(-1);
  const Tensor cos = by.cos.unsqueeze(1), sin = by.sin.unsqueeze(1);
  return at::stack({pairs[0] * cos - pairs[1] * sin, pairs[0] * sin + pairs[1] * cos}, -1).flatten(-2);
}

}  // namespace uvic
