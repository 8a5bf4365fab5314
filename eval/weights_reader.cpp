#include "eval/weights_reader.h"

#include <fmt/ranges.h>

#include "core/error.h"

namespace uvic {
namespace {

constexpr double kBatchNormEpsilon = 1e-3;  // of both networks, as in TensorFlow

std::string text_of(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

WeightsReader::WeightsReader(TensorMap tensors, std::string file)
    : tensors_(std::move(tensors)), file_(std::move(file)) {
  std::erase_if(tensors_, [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
}

Tensor WeightsReader::take(const std::string& name, at::IntArrayRef shape) {
  auto found = tensors_.extract(name);
  if (found.empty()) fail("{}: no tensor '{}'; these are not the weights of this network", file_, name);
  const Tensor tensor = found.mapped();
  if (tensor.sizes() != shape)
    fail("{}: tensor '{}' has shape {}, expected {}", file_, name, text_of(tensor.sizes()), text_of(shape));
  if (!at::isFloatingType(tensor.scalar_type()))
    fail("{}: tensor '{}' holds {}, expected floating-point numbers", file_, name, at::toString(tensor.scalar_type()));
  if (!is_finite(tensor)) fail("{}: tensor '{}' holds a non-finite number", file_, name);
  return tensor.to(at::kFloat);
}

Linear WeightsReader::take_linear(const std::string& name, int64_t in, int64_t out) {
  return {take(name + ".weight", {out, in}), take(name + ".bias", {out})};
}

LayerNorm WeightsReader::take_layer_norm(const std::string& name, int64_t dim, double epsilon) {
  return {take(name + ".weight", {dim}), take(name + ".bias", {dim}), epsilon};
}

Conv WeightsReader::take_conv(const std::string& conv, const std::string& norm, const ConvShape& shape) {
  const int64_t in = shape.depthwise ? 1 : shape.in;
  const Tensor weight = take(conv + ".weight", {shape.out, in, shape.kernel[0], shape.kernel[1]}).to(at::kDouble);
  const auto per_channel = [&](const char* name) { return take(norm + name, {shape.out}).to(at::kDouble); };
  const Tensor gamma = per_channel(".weight"), beta = per_channel(".bias");
  const Tensor mean = per_channel(".running_mean"), variance = per_channel(".running_var");
  if (variance.min().item<double>() < 0) fail("{}: tensor '{}.running_var' holds a negative variance", file_, norm);
  const Tensor scale = gamma / at::sqrt(variance + kBatchNormEpsilon);
  return {(weight * scale.view({-1, 1, 1, 1})).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast),
          (beta - mean * scale).to(at::kFloat), shape.stride, shape.padding, shape.depthwise ? shape.out : 1};
}

void WeightsReader::finish() const {
  if (tensors_.empty()) return;
  fail("{}: {} tensors that this network does not have, the first is '{}'", file_, tensors_.size(),
       tensors_.begin()->first);
}

}  // namespace uvic
