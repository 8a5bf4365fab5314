#include "lm/diagnosis.h"

namespace uvic {
namespace {

Tensor last_representation(const Cogformer& net, const Tensor& rows) {
  Tensor last;
  net.forward(rows, causal_keys(rows.size(1), rows.size(1)), nullptr,
              [&](const std::string& name, const Tensor& value) {
                if (name == "final_norm") last = value.select(1, -1);
              });
  return last;
}

}  // namespace

std::vector<LayerDiagnosis> diagnose_layers(const Cogformer& net, const Tensor& rows) {
  const at::NoGradGuard no_grad;
  const int64_t length = rows.size(1);
  TORCH_CHECK(length >= 2, "a diagnosis takes texts of two tokens or more");
  const auto visible_weights = static_cast<double>(length * (length + 1)) / 2;
  std::vector<LayerDiagnosis> all;
  for (const Tensor& weights : net.attention_weights(rows, causal_keys(length, length))) {
    const auto maps = static_cast<double>(weights.size(0) * weights.size(1));
    const Tensor sizes = weights.abs(), shares = sizes / sizes.sum(-1, /*keepdim=*/true);
    all.push_back({.negative = (weights < 0).sum().item<double>() / (maps * visible_weights),
                   .sink = shares.narrow(2, 1, length - 1).select(3, 0).mean().item<double>()});
  }
  return all;
}

double representation_difference(const Cogformer& net, const Tensor& rows) {
  const at::NoGradGuard no_grad;
  const Tensor longer = at::cat({rows, rows.narrow(1, rows.size(1) - 1, 1)}, 1);
  return (last_representation(net, rows) - last_representation(net, longer)).abs().amax(-1).mean().item<double>();
}

}  // namespace uvic
