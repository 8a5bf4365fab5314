#include "app/training/trained_network.h"

#include "app/training/training_loss.h"
#include "core/progress.h"

namespace uvic {

TrainedNetwork::TrainedNetwork(const RunConfig& config, const TrainingData& data, const Beginning& beginning,
                               at::Device device)
    : net_(config.model, config.train.seed), device_(device) {
  if (beginning.weights) {
    ModelWeights weights = *beginning.weights;
    expect_classes(weights, data.source.classes, config.init);
    const std::string& encoder = weights.card ? weights.card->text_encoder : "";
    if (!encoder.empty() && !data.source.text_encoder.empty() && encoder != data.source.text_encoder)
      warn(fmt::format("{} was trained with another text encoder: it has to learn to read this one's states",
                       weights.file.string()));
    begin_with(net_.parameters(), weights.tensors, config.init, weights.file.string());
  }
  net_.to(device, at::kFloat);
  own_ = net_.parameters();
  if (config.lora.rank > 0) adapters_.emplace(own_, config.lora, config.train.seed, MatrixLayout::kOutIn);
}

StepLoss TrainedNetwork::loss(BatchAt batch_at, const Schedule& schedule, const ObjectiveConfig& objective) {
  StepLoss plain = make_loss(std::move(batch_at), net_, schedule, objective, device_);
  if (!adapters_) return plain;
  return [this, plain = std::move(plain)](int64_t micro_batch, at::Generator& generator) {
    // The sums stay in their places until the next ones: the backward pass may compute blocks again.
    const TensorMap sums = adapters_->weights();
    net_.replace([&sums](const std::string& name, const Tensor&, Role) { return sums.at(name); });
    return plain(micro_batch, generator);
  };
}

TensorMap TrainedNetwork::weights(const Parameters& values) const {
  const at::NoGradGuard no_grad;
  return adapters_ ? adapters_->weights(to_map(values)) : to_map(values);
}

}  // namespace uvic
