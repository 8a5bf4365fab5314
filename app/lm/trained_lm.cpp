#include "app/lm/trained_lm.h"

namespace uvic {
namespace {

Cogformer begun_lm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device) {
  Cogformer net(cogformer_config(config.lm), config.train.seed);
  if (beginning.model) begin_with(net, *beginning.model, config.init);
  net.to(device, at::kFloat);
  return net;
}

}  // namespace

TrainedLm::TrainedLm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device)
    : net_(begun_lm(config, beginning, device), config.lora, config.train.seed, MatrixLayout::kInOut) {}

StepLoss TrainedLm::loss(const TextSource& source, const LmRunConfig& config, at::Device device, PassedState& passed) {
  return net_.loss(make_text_loss(source.batch_at, net_.net(), config, device, passed));
}

}  // namespace uvic
