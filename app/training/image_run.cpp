#include "app/training/image_run.h"

#include <filesystem>

#include "app/cli/options.h"
#include "app/model/model.h"
#include "app/training/sample_grid.h"
#include "core/image/image.h"
#include "core/progress.h"

namespace uvic {
namespace {

// The model of averaged weights, which draws grids and is scored.
class AveragedModel {
 public:
  AveragedModel(const RunConfig& config, const TrainingData& data, const TrainedNetwork& trained,
                const std::string& init_sha256, at::Device device, const std::optional<RunFolder>& folder)
      : data_(data),
        trained_(trained),
        model_{.path = folder ? folder->path() : std::filesystem::path(),
               .name = folder ? folder->path().filename().string() : "",
               .hash = "",
               .card = {.config = config,
                        .step = 0,
                        .classes = data.source.classes,
                        .vocabulary = data.source.vocabulary,
                        .text_encoder = data.source.text_encoder,
                        .init_sha256 = init_sha256},
               .net = UVit(config.model),
               .schedule = make_schedule(config.schedule),
               .device = device} {
    model_.net.to(device, at::kFloat);
    attach_encoders(model_, {.autoencoder = config.output.autoencoder, .text = config.output.text});
  }

  const Schedule& schedule() const { return *model_.schedule; }

  std::map<std::string, std::string> metadata(int64_t step) const {
    ModelCard card = model_.card;
    card.step = step;
    return card.to_metadata();
  }

  void draw_grid(RunFolder& folder, int64_t step, const Parameters& average) {
    const bool is_latent = model_.card.config.data.latent_scale > 0;
    if (is_latent && !model_.autoencoder) return;
    update(step, average);
    try {
      const Tensor grid = draw_sample_grid(model_, data_.source);
      folder.record_image(step, "samples", encode_png(grid), grid.size(0), grid.size(1));
    } catch (const NotFinite& error) {
      warn(fmt::format("no sample grid at step {}: {}", step, error.what()));
    }
  }

  std::optional<RunScore> score(int64_t step, const Parameters& average) {
    update(step, average);
    const RunConfig& config = model_.card.config;
    const std::optional<Score> score = (*data_.scorer)(model_, config.sample);
    if (!score) return std::nullopt;
    return RunScore{score->label, score->value,
                    std::pair(score->value - score->interval, score->value + score->interval),
                    fmt::format("{} images, guidance {}", config.eval.num, config.sample.cfg_scale)};
  }

 private:
  void update(int64_t step, const Parameters& average) {
    load_into(model_.net.parameters(), trained_.weights(average), "EMA");
    model_.card.step = step;
  }

  const TrainingData& data_;
  const TrainedNetwork& trained_;
  Model model_;
};

}  // namespace

void run_image_training(const RunConfig& config, const TrainingData& data, TrainedNetwork& net,
                        const std::string& init_sha256, at::Device device, Start start) {
  AveragedModel averaged(config, data, net, init_sha256, device, start.folder);
  const BatchAt batch_at =
      prefetch(data.source.batch_at, std::bind_front(next_micro_batch, config.train, start.world.share()));
  Trainee trainee{.config = print_config<RunOptions>(config),
                  .train = config.train,
                  .output = config.output,
                  .device = device,
                  .parameters = net.parameters(),
                  .loss = net.loss(batch_at, averaged.schedule(), config),
                  .items = "images",
                  .items_per_step = items_per_step(config.train),
                  .metadata = std::bind_front(&AveragedModel::metadata, &averaged),
                  .sample = std::bind_front(&AveragedModel::draw_grid, &averaged)};
  if (data.scorer) {
    trainee.score = std::bind_front(&AveragedModel::score, &averaged);
    trainee.score_every = config.eval.every;
  }
  run_training(std::move(trainee), std::move(start));
}

}  // namespace uvic
