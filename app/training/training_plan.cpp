#include "app/training/training_plan.h"

#include "app/cli/results.h"
#include "app/training/training_probe.h"
#include "core/progress.h"
#include "core/text.h"

namespace uvic {

void plan_training(const RunConfig& config, const TrainingData& data, TrainedNetwork& net, at::Device device) {
  const auto schedule = make_schedule(config.schedule);
  const BatchAt batch_at =
      prefetch(data.source.batch_at, std::bind_front(next_micro_batch, probe_config(config.train), Share()));
  const auto [count, peak, seconds] =
      probe_training(net.parameters(), net.loss(batch_at, *schedule, config), config.train, device);
  const double parameters = static_cast<double>(count), total = seconds * static_cast<double>(config.train.steps);
  const int64_t state_bytes = count * 20, checkpoints = config.output.keep_last + 1, disk = count * 16 * checkpoints;
  constexpr double kMega = 1 << 20;
  std::string text = fmt::format("data            {}\n", visible(data.description));
  text += fmt::format("parameters      {:.2f} M, {} tokens\n", parameters / 1e6, sequence_length(config.model));
  text += fmt::format(
      "memory          {:.0f} MiB on {} at the peak of the probe; {:.0f} MiB of it weights, gradients, optimizer and "
      "EMA\n",
      static_cast<double>(peak) / kMega, device.str(), static_cast<double>(state_bytes) / kMega);
  text += fmt::format("time            {:.3f} s a step, {} for {} steps (without grids and scores)\n", seconds,
                      format_duration(total), config.train.steps);
  text += fmt::format("disk            {:.0f} MiB for {} checkpoints", static_cast<double>(disk) / kMega, checkpoints);
  print_result({{"data", data.description},
                {"parameters", count},
                {"tokens", sequence_length(config.model)},
                {"device", device.str()},
                {"memory_peak", peak},
                {"memory_state", state_bytes},
                {"step_s", seconds},
                {"steps", config.train.steps},
                {"total_s", total},
                {"disk", disk}},
               text);
}

}  // namespace uvic
