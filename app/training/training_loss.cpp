#include "app/training/training_loss.h"

namespace uvic {

Loss make_loss(const UVit& net, const Schedule& schedule, const ObjectiveConfig& objective, at::Device device) {
  return [&net, &schedule, objective, device](const Batch& batch, at::Generator& generator) {
    const Tensor t = schedule.sample_times(batch.x.size(0), generator);
    const Tensor eps = at::randn(batch.x.sizes(), generator, at::kFloat);
    const Condition condition = to(batch.condition, device);
    const Network network = [&](const Tensor& x, const Tensor& time) { return net(x, time, condition); };
    return diffusion_loss(network, schedule, objective, batch.x.to(device), t.to(device), eps.to(device)).mean();
  };
}

}  // namespace uvic
