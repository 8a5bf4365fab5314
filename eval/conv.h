// Convolutions with their batch norm folded in, read from a weights file that must match name for name.
#pragma once

#include <array>
#include <string>

#include "core/formats/safetensors.h"
#include "core/tensor.h"

namespace uvic {

using Pair = std::array<int64_t, 2>;  // height, width

// y = weight * x + bias, no activation.
struct Conv {
  Tensor weight, bias;  // [O, I / groups, kh, kw] channels-last, [O]; float32
  Pair stride, padding;
  int64_t groups = 1;

  Tensor operator()(const Tensor& x) const;
};

struct ConvShape {
  int64_t out, in;
  Pair kernel;
  Pair stride = {1, 1};
  Pair padding = {0, 0};
  bool depthwise = false;  // in == out, one input channel per filter
};

// Hands out the tensors of a file and keeps count, so that a file that does not fit the network is refused.
class WeightsReader {
 public:
  // `file` names the weights in errors. Entries "...num_batches_tracked" do not count.
  WeightsReader(TensorMap tensors, std::string file);

  // As float32. Error if there is none of that name, or its shape differs, or it holds a non-finite number.
  Tensor take(const std::string& name, at::IntArrayRef shape);

  // `conv`.weight followed by the inference-mode batch norm `norm`.{weight, bias, running_mean, running_var} with
  // epsilon 1e-3, as one convolution (the folding is done in float64).
  Conv take_conv(const std::string& conv, const std::string& norm, const ConvShape& shape);

  // Error naming the tensors that the network has no use for.
  void finish() const;

 private:
  TensorMap tensors_;
  std::string file_;
};

}  // namespace uvic
