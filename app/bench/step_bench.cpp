#include "app/bench/step_bench.h"

#include "app/draw/pipeline.h"
#include "app/training/training_loss.h"
#include "bench/timing.h"
#include "core/precision.h"
#include "core/random.h"

namespace uvic {
namespace {

UVitConfig with(UVitConfig config, const StepVariant& variant) {
  config.attention = variant.attention;
  config.memory = variant.memory;
  config.kernels = variant.kernels;
  return resolve(config);
}

StepTiming row(const StepVariant& variant, const Timing& timing, double flop, double peak_mib) {
  return {variant.attention, variant.memory,      variant.kernels,         variant.precision,
          1e3 * timing.min,  1e3 * timing.median, flop / timing.min / 1e9, peak_mib};
}

// A model that trains on the same random batch step after step.
class Trainee {
 public:
  Trainee(const UVitConfig& config, const std::string& precision, int64_t batch)
      : net_(config), schedule_(make_schedule({})) {
    config_.steps = 0;
    config_.batch = batch;
    config_.warmup = 0;
    config_.precision = precision;
    at::Generator generator = make_generator(0, Stream::kNoise);
    batch_.x = at::randn({batch, config.channels, config.image_size, config.image_size}, generator, at::kFloat);
    if (config.classes > 0) batch_.condition.label = at::zeros({batch}, at::kLong);
    if (config.context_tokens > 0)
      batch_.condition.context = at::randn({batch, config.context_tokens, config.context_dim}, generator, at::kFloat);
    net_.set_requires_grad(true);
    state_ = std::make_unique<TrainState>(net_.parameters(), config_);
    loss_ = make_loss([this](Items) { return batch_; }, net_, *schedule_, {}, 0, at::kCPU);
  }

  void step() {
    ++config_.steps;
    train(*state_, loss_, config_, at::kCPU, [](const StepStats&) {});
  }

 private:
  UVit net_;
  std::unique_ptr<Schedule> schedule_;
  TrainConfig config_;
  Batch batch_;
  std::unique_ptr<TrainState> state_;
  StepLoss loss_;
};

// Of a block of the network: rows that go through its linear layers, and pairs of a query and a key that it sees.
struct Work {
  double rows, scores;
};
Work work_of(const UVitConfig& config) {
  const int64_t tokens = sequence_length(config), extras = extra_tokens(config), patches = tokens - extras;
  const auto all = static_cast<double>(tokens);
  if (patch_memory(config) == PatchMemory::kNone) return {all, all * all};
  const VisibleKeys keys =
      checked(block_window_keys(tokens, config.block, config.segments, extras, sees_both_sides(config)), 1, tokens,
              tokens, at::kCPU);
  const double window = keys.first.defined() ? (keys.last - keys.first + extras).sum().item<double>() : all * all;
  if (patch_memory(config) == PatchMemory::kWindow) return {all, window};
  const auto length = static_cast<double>(config.fam_length),
             blocks = std::ceil(static_cast<double>(patches) / static_cast<double>(config.block));
  const double of_memory =
      length * (blocks * static_cast<double>(extras + config.fam_length) + static_cast<double>(patches));
  return {all + blocks * length, window + static_cast<double>(patches) * length + of_memory};
}

Model random_model(const UVitConfig& config, const std::string& precision) {
  ModelCard card;
  card.config.model = config;
  Model model{
      .path = {}, .name = "random", .hash = "", .card = card, .net = UVit(config), .schedule = make_schedule({})};
  set_precision(model, find(precisions(), precision, "precision").value);
  return model;
}

}  // namespace

std::vector<StepTiming> bench_training(const UVitConfig& config, const std::vector<StepVariant>& variants,
                                       int64_t batch, int64_t rounds) {
  std::vector<std::unique_ptr<Trainee>> trainees;
  std::vector<std::function<void()>> steps;
  std::vector<double> peaks;
  for (const StepVariant& variant : variants) {
    trainees.push_back(std::make_unique<Trainee>(with(config, variant), variant.precision, batch));
    reset_peak_memory();
    trainees.back()->step();
    peaks.push_back(peak_memory_mib());
    steps.emplace_back([trainee = trainees.back().get()] { trainee->step(); });
  }
  const std::vector<Timing> timings = time_in_turn(steps, rounds);
  std::vector<StepTiming> rows;
  for (size_t i = 0; i < variants.size(); ++i)
    rows.push_back(row(variants[i], timings[i],
                       3 * forward_flop(with(config, variants[i])) * static_cast<double>(batch), peaks[i]));
  return rows;
}

std::vector<OperationTime> profile_training(const UVitConfig& config, const StepVariant& variant, int64_t batch) {
  Trainee trainee(with(config, variant), variant.precision, batch);
  trainee.step();
  return profile([&] { trainee.step(); });
}

std::vector<StepTiming> bench_sampling(const UVitConfig& config, const std::vector<StepVariant>& variants,
                                       int64_t images, const SamplerConfig& sampler, int64_t rounds) {
  std::vector<Model> models;
  for (const StepVariant& variant : variants) models.push_back(random_model(with(config, variant), variant.precision));
  std::vector<Request> requests(static_cast<size_t>(images));
  for (size_t i = 0; i < requests.size(); ++i) requests[i].seed = i;
  std::vector<std::function<void()>> draw;
  std::vector<double> peaks(variants.size());
  for (size_t i = 0; i < variants.size(); ++i)
    draw.emplace_back([&, i] {
      reset_peak_memory();
      generate(models[i], requests, {.settings = {.sampler = sampler}});
      peaks[i] = peak_memory_mib();
    });
  const std::vector<Timing> timings = time_in_turn(draw, rounds);
  std::vector<StepTiming> rows;
  for (size_t i = 0; i < variants.size(); ++i) {
    const double flop = forward_flop(with(config, variants[i])) * static_cast<double>(images * sampler.steps);
    rows.push_back(row(variants[i], timings[i], flop, peaks[i]));
  }
  return rows;
}

double forward_flop(const UVitConfig& config) {
  const Work work = work_of(config);
  const auto dim = static_cast<double>(config.dim), tokens = static_cast<double>(sequence_length(config));
  const double block = work.rows * dim * dim * (4 + 2 * config.mlp_ratio) + 2 * work.scores * dim,
               skips = config.skip ? config.depth / 2 : 0;
  const int64_t blocks = config.depth / 2 * 2 + 1;
  const auto pixels = static_cast<double>(config.patch * config.patch * config.channels);
  return 2 * (static_cast<double>(blocks) * block + skips * work.rows * 2 * dim * dim + 2 * tokens * pixels * dim);
}

}  // namespace uvic
