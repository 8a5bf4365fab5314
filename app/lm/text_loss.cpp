#include "app/lm/text_loss.h"

namespace uvic {

TensorMap PassedState::tensors() const {
  TensorMap all;
  for (size_t i = 0; i < fam.size(); ++i) all[fmt::format("fam.{}", i)] = fam[i];
  return all;
}

void PassedState::load(const TensorMap& tensors) {
  fam.clear();
  for (size_t i = 0; i < tensors.size(); ++i) fam.push_back(tensors.at(fmt::format("fam.{}", i)));
}

StepLoss make_text_loss(TextBatchAt batch_at, const Cogformer& net, const LmRunConfig& config, at::Device device,
                        PassedState& passed) {
  const MemoryConfig& memory = net.config().memory;
  const bool by_blocks = memory.fam_length > 0 || memory.stop_gradient;
  return [batch_at = std::move(batch_at), &net, device, &passed, by_blocks, share = config.data.state_passing](
             int64_t micro_batch, at::Generator& generator) {
    const TextBatch batch = batch_at(micro_batch);
    const Tensor tokens = batch.tokens.to(device);
    const Tensor counted = batch.counted.defined() ? batch.counted.to(device) : Tensor();
    if (!by_blocks) return next_token_loss(net(tokens, batch.visible), tokens, counted);
    const bool goes_on = at::rand({1}, generator, at::kDouble).item<double>() < share && !passed.fam.empty();
    Cogformer::State state = goes_on ? net.begin(tokens.size(0), passed.fam) : net.begin(tokens.size(0));
    const Tensor logits = net.whole(tokens, state);
    if (share > 0) {
      passed.fam.clear();
      for (const LayerMemory& layer : state.layers) passed.fam.push_back(layer.fam.narrow(0, 0, 1).detach());
    }
    return next_token_loss(logits, tokens, counted);
  };
}

}  // namespace uvic
