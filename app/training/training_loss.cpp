#include "app/training/training_loss.h"

namespace uvic {

StepLoss make_loss(BatchAt batch_at, const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective,
                   at::Device device) {
  return [batch_at = std::move(batch_at), &net, &schedule, objective, device](int64_t micro_batch,
                                                                              at::Generator& generator) {
    const Batch batch = batch_at(micro_batch);
    const Tensor t = schedule.sample_times(batch.x.size(0), generator);
    const Tensor eps = at::randn(batch.x.sizes(), generator, at::kFloat);
    const Condition condition = to(batch.condition, device);
    const Network network = [&](const Tensor& x, const Tensor& time) { return net(x, time, condition); };
    return diffusion_loss(network, schedule, objective, batch.x.to(device), t.to(device), eps.to(device)).mean();
  };
}

}  // namespace uvic
