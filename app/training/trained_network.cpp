#include "app/training/trained_network.h"

#include "app/training/training_loss.h"
#include "core/progress.h"

namespace uvic {
namespace {

UVit begun_network(const RunConfig& config, const TrainingData& data, const Beginning& beginning, at::Device device) {
  UVit net(config.model, config.train.seed);
  if (beginning.weights) {
    ModelWeights weights = *beginning.weights;
    expect_classes(weights, data.source.classes, config.init);
    const std::string& encoder = weights.card ? weights.card->text_encoder : "";
    if (!encoder.empty() && !data.source.text_encoder.empty() && encoder != data.source.text_encoder)
      warn(fmt::format("{} was trained with another text encoder: it has to learn to read this one's states",
                       weights.file.string()));
    begin_with(net.parameters(), weights.tensors, config.init, weights.file.string());
  }
  net.to(device, at::kFloat);
  return net;
}

}  // namespace

TrainedNetwork::TrainedNetwork(const RunConfig& config, const TrainingData& data, const Beginning& beginning,
                               at::Device device)
    : net_(begun_network(config, data, beginning, device), config.lora, config.train.seed, MatrixLayout::kOutIn),
      device_(device) {}

StepLoss TrainedNetwork::loss(BatchAt batch_at, const Schedule& schedule, const RunConfig& config) {
  return net_.loss(make_loss(std::move(batch_at), net_.net(), schedule, config.objective, config.train.seed, device_));
}

}  // namespace uvic
