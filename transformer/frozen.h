// Layers of frozen networks. Unlike trained layers they leave the weights in the type and place they have in the file
// (16 bits, memory-mapped, say), and convert them for each call to the type of the input: a network takes the memory of
// its file, and next to a matrix product the conversion costs nothing.
#pragma once

#include "transformer/layers.h"

namespace uvic::frozen {

inline Tensor like(const Tensor& weight, const Tensor& x) {
  return weight.to(x.scalar_type());
}

template <class Layer>
struct Frozen : Layer {
  Tensor operator()(const Tensor& x) const {
    Layer converted = *this;
    for (Tensor* parameter : {&converted.weight, &converted.bias})
      if (parameter->defined()) *parameter = like(*parameter, x);
    return converted(x);
  }
};
using Linear = Frozen<uvic::Linear>;
using LayerNorm = Frozen<uvic::LayerNorm>;
using GroupNorm = Frozen<uvic::GroupNorm>;
using Conv = Frozen<uvic::Conv>;

// Parameters before their file is read: shapes without memory.
inline Tensor shape(at::IntArrayRef sizes) {
  return at::empty(sizes, at::TensorOptions(at::kMeta));
}
inline Linear linear(int64_t in, int64_t out, bool bias = true) {
  return {make_linear(in, out, bias, at::kMeta)};
}
inline LayerNorm layer_norm(int64_t dim, double epsilon) {
  return {make_layer_norm(dim, epsilon, at::kMeta)};
}
inline GroupNorm group_norm(int64_t channels, int64_t groups, double epsilon) {
  return {{shape({channels}), shape({channels}), groups, epsilon}};
}
inline Conv conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t padding = 0) {
  return {make_conv(in, out, kernel, stride, padding, at::kMeta)};
}

}  // namespace uvic::frozen
