#include "app/lm/text_loss.h"

#include "core/random.h"

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
  return [batch_at = std::move(batch_at), &net, device, &passed, by_blocks, share = config.data.state_passing,
          seed = config.train.seed, per_step = items_per_step(config.train), step = int64_t{-1},
          begins = std::vector<Tensor>()](Items items) mutable {
    const TextBatch batch = batch_at(items);
    const Tensor tokens = batch.tokens.to(device);
    const Tensor counted = batch.counted.defined() ? batch.counted.to(device) : Tensor();
    const int64_t targets = tokens.size(1) - 1;
    const double weight = counted.defined() ? batch.counted.narrow(1, 1, targets).sum().item<double>()
                                            : static_cast<double>(items.count * targets);
    if (!by_blocks) return MicroBatchLoss{next_token_loss(net(tokens, batch.visible), tokens, counted), weight};
    const bool is_first = step != items.first / per_step;
    if (is_first) begins = passed.fam;  // all micro-batches of a step begin alike
    step = items.first / per_step;
    const uint64_t draw = hash_mix({seed, static_cast<uint64_t>(Stream::kStatePassing), static_cast<uint64_t>(step)});
    const bool goes_on = unit_interval(draw) < share && !begins.empty();
    Cogformer::State state = goes_on ? net.begin(items.count, begins) : net.begin(items.count);
    const Tensor logits = net.whole(tokens, state);
    if (share > 0 && is_first) {
      passed.fam.clear();
      for (const LayerMemory& layer : state.layers) passed.fam.push_back(layer.fam.narrow(0, 0, 1).detach());
    }
    return MicroBatchLoss{next_token_loss(logits, tokens, counted), weight};
  };
}

}  // namespace uvic
