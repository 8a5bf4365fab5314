// The layers of a feature network out of a weights file, which must match name for name.
#pragma once

#include <string>

#include "core/formats/safetensors.h"
#include "transformer/layers.h"

namespace uvic {

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

  // `name`.weight and `name`.bias.
  Linear take_linear(const std::string& name, int64_t in, int64_t out);
  LayerNorm take_layer_norm(const std::string& name, int64_t dim, double epsilon);

  // `conv`.weight followed by the inference-mode batch norm `norm`.{weight, bias, running_mean, running_var} with
  // epsilon 1e-3, as one convolution with a channels-last weight (the folding is done in float64).
  Conv take_conv(const std::string& conv, const std::string& norm, const ConvShape& shape);

  // Error naming the tensors that the network has no use for.
  void finish() const;

 private:
  TensorMap tensors_;
  std::string file_;
};

}  // namespace uvic
