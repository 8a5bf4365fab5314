#include "app/training/training_loss.h"

#include "core/random.h"

namespace uvic {

StepLoss make_loss(BatchAt batch_at, const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective,
                   uint64_t seed, at::Device device) {
  return [batch_at = std::move(batch_at), &net, &schedule, objective, seed, device](Items items) {
    const Batch batch = batch_at(items);
    const Tensor t = at::empty({items.count}, at::kDouble), eps = at::empty(batch.x.sizes(), at::kFloat);
    for (int64_t i = 0; i < items.count; ++i) {
      at::Generator generator = make_generator(seed, Stream::kNoise, static_cast<uint64_t>(items.first + i));
      t.narrow(0, i, 1).copy_(schedule.sample_times(1, generator));
      eps[i].normal_(0, 1, generator);
    }
    const Condition condition = to(batch.condition, device);
    const Network network = [&](const Tensor& x, const Tensor& time) { return net(x, time, condition); };
    const Tensor losses =
        diffusion_loss(network, schedule, objective, batch.x.to(device), t.to(device), eps.to(device));
    return MicroBatchLoss{losses.mean(), static_cast<double>(items.count)};
  };
}

}  // namespace uvic
