// The layers that networks are made of: plain tensors with a call operator. A network lists its parameters by
// visit_layer.
#pragma once

#include <array>

#include "core/parameters.h"
#include "core/tensor.h"

namespace uvic {

struct Linear {
  static constexpr Role kRole = Role::kMatrix;
  Tensor weight, bias;  // [out, in]; [out] or undefined
  Tensor operator()(const Tensor& x) const { return at::linear(x, weight, bias); }
};

struct LayerNorm {
  static constexpr Role kRole = Role::kNorm;
  Tensor weight, bias;  // [dim]
  double epsilon = 1e-5;
  Tensor operator()(const Tensor& x) const { return at::layer_norm(x, weight.sizes(), weight, bias, epsilon); }
};

// x / sqrt(mean(x^2) + epsilon) * weight, the mean in float32 at least (arXiv 1910.07467).
struct RmsNorm {
  Tensor weight;  // [dim]
  double epsilon = 1e-6;
  Tensor operator()(const Tensor& x) const {
    const Tensor wide = to_wide(x);
    return (wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + epsilon)).to(x.scalar_type()) * weight;
  }
};

struct GroupNorm {
  static constexpr Role kRole = Role::kNorm;
  Tensor weight, bias;  // [channels]
  int64_t groups = 32;
  double epsilon = 1e-5;
  Tensor operator()(const Tensor& x) const { return at::group_norm(x, groups, weight, bias, epsilon); }
};

using Pair = std::array<int64_t, 2>;  // height, width

struct Conv {
  static constexpr Role kRole = Role::kConvolution;
  Tensor weight, bias;  // [out, in / groups, height, width]; [out] or undefined
  Pair stride = {1, 1}, padding = {0, 0};
  int64_t groups = 1;
  Tensor operator()(const Tensor& x) const {
    return at::conv2d(x, weight, bias, stride, padding, /*dilation=*/Pair{1, 1}, groups);
  }
};

// The parameters of a layer under the names of PyTorch's modules: NAME.weight, and NAME.bias if there is one.
template <class Layer>
void visit_layer(const std::string& name, Layer& layer, const EachParameter& each, Role role = Layer::kRole) {
  each(name + ".weight", layer.weight, role);
  if (layer.bias.defined()) each(name + ".bias", layer.bias, Role::kBias);
}

// Layers without values, of tensors as `options` say.
inline Linear make_linear(int64_t in, int64_t out, bool bias = true, at::TensorOptions options = {}) {
  return {at::empty({out, in}, options), bias ? at::empty({out}, options) : Tensor()};
}
inline LayerNorm make_layer_norm(int64_t dim, double epsilon = 1e-5, at::TensorOptions options = {}) {
  return {at::empty({dim}, options), at::empty({dim}, options), epsilon};
}
inline Conv make_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t padding = 0,
                      at::TensorOptions options = {}) {
  return {
      at::empty({out, in, kernel, kernel}, options), at::empty({out}, options), {stride, stride}, {padding, padding}};
}

}  // namespace uvic
