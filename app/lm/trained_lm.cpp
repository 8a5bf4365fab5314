#include "app/lm/trained_lm.h"

namespace uvic {

TrainedLm::TrainedLm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device)
    : net_(cogformer_config(config.lm), config.train.seed) {
  if (beginning.model) begin_with(net_, *beginning.model, config.init);
  net_.to(device, at::kFloat);
  own_ = net_.parameters();
  if (config.lora.rank > 0) adapters_.emplace(own_, config.lora, config.train.seed, MatrixLayout::kInOut);
}

StepLoss TrainedLm::loss(const TextSource& source, const LmRunConfig& config, at::Device device, PassedState& passed) {
  StepLoss plain = make_text_loss(source.batch_at, net_, config, device, passed);
  if (!adapters_) return plain;
  return [this, plain = std::move(plain)](int64_t micro_batch, at::Generator& generator) {
    const TensorMap sums = adapters_->weights();
    net_.replace([&sums](const std::string& name, const Tensor&, Role) { return sums.at(name); });
    return plain(micro_batch, generator);
  };
}

TensorMap TrainedLm::weights(const Parameters& values) const {
  const at::NoGradGuard no_grad;
  return adapters_ ? adapters_->weights(to_map(values)) : to_map(values);
}

}  // namespace uvic
