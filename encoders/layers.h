// Layers of frozen networks: plain tensors with a call operator. Unlike trained layers they leave the weights in the
// type and place they have in the file (16 bits, memory-mapped, say), and convert them for each call to the type of the
// input: a network takes the memory of its file, and next to a matrix product the conversion costs nothing.
#pragma once

#include "core/tensor.h"

namespace uvic::frozen {

inline Tensor like(const Tensor& weight, const Tensor& x) {
  return weight.to(x.scalar_type());
}

// Parameters before their file is read: shapes without memory.
inline Tensor shape(at::IntArrayRef sizes) {
  return at::empty(sizes, at::TensorOptions(at::kMeta));
}

struct Linear {
  Tensor weight, bias;  // [out, in], [out]
  Tensor operator()(const Tensor& x) const { return at::linear(x, like(weight, x), like(bias, x)); }
};

struct LayerNorm {
  Tensor weight, bias;  // [dim]
  double epsilon = 1e-5;
  Tensor operator()(const Tensor& x) const {
    return at::layer_norm(x, weight.sizes(), like(weight, x), like(bias, x), epsilon);
  }
};

// Without weights.
inline Linear linear(int64_t in, int64_t out) {
  return {shape({out, in}), shape({out})};
}
inline LayerNorm layer_norm(int64_t dim, double epsilon) {
  return {shape({dim}), shape({dim}), epsilon};
}

// Softmax attention of heads side by side in the width: [B, N, D] each -> [B, N, D]. Causal: no token sees a later one.
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, bool causal) {
  const auto apart = [&](const Tensor& x) { return x.unflatten(2, {heads, -1}).transpose(1, 2); };  // [B, H, N, D / H]
  const Tensor mixed = at::scaled_dot_product_attention(apart(q), apart(k), apart(v), {}, /*dropout_p=*/0, causal);
  return mixed.transpose(1, 2).flatten(2);
}

struct GroupNorm {
  Tensor weight, bias;  // [channels]
  int64_t groups = 32;
  double epsilon = 1e-6;
  Tensor operator()(const Tensor& x) const {
    return at::group_norm(x, groups, like(weight, x), like(bias, x), epsilon);
  }
};

struct Conv {
  Tensor weight, bias;  // [out, in, k, k], [out]
  int64_t stride = 1, padding = 1;
  Tensor operator()(const Tensor& x) const { return at::conv2d(x, like(weight, x), like(bias, x), stride, padding); }
};

}  // namespace uvic::frozen
