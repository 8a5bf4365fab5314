#include "lm/rotary.h"

#include "transformer/kernels/decoder_ops.h"

namespace uvic {

Rotation rotation(int64_t first, int64_t length, int64_t head_dim, const at::TensorOptions& options) {
  TORCH_CHECK(head_dim % 2 == 0, "rotary positions take heads of even width, got ", head_dim);
  const Tensor pair = at::arange(head_dim / 2, at::kDouble) * (-2.0 / static_cast<double>(head_dim));
  const Tensor positions = at::arange(first, first + length, at::kDouble);
  const Tensor angles = at::outer(positions, at::pow(10000.0, pair));
  const at::TensorOptions wide = options.dtype(wide_type(c10::typeMetaToScalarType(options.dtype())));
  return {angles.cos().to(wide), angles.sin().to(wide)};
}

Tensor rotate(const Tensor& x, const Rotation& by) {
  return rotate_pairs(x, by.cos, by.sin);
}

}  // namespace uvic
