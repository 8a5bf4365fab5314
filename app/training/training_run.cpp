#include "app/training/training_run.h"

#include <chrono>
#include <memory>

#include "app/cli/options.h"
#include "app/model/model.h"
#include "app/training/sample_grid.h"
#include "app/training/training_loss.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "train/train.h"

namespace uvic {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Everything that belongs to one run while it trains.
class Run {
 public:
  Run(const RunConfig& config, const TrainingData& data, at::Device device, Start start)
      : config_(config),
        data_(data),
        start_(std::move(start)),
        folder_(start_.folder),
        net_(config.model, config.train.seed),
        ema_model_{.path = folder_.path(),
                   .name = folder_.path().filename().string(),
                   .hash = "",
                   .card = {.config = config,
                            .step = 0,
                            .classes = data.source.classes,
                            .vocabulary = data.source.vocabulary,
                            .text_encoder = data.source.text_encoder},
                   .net = UVit(config.model),
                   .schedule = make_schedule(config.schedule),
                   .device = device} {
    net_.to(device, at::kFloat);
    ema_model_.net.to(device, at::kFloat);
    attach_encoders(ema_model_, {.autoencoder = config_.output.autoencoder, .text = config_.output.text});
  }

  void train() {
    constexpr const char* kOrigin = "the run's checkpoint";
    std::optional<Checkpoint>& checkpoint = start_.checkpoint;
    if (checkpoint) load_into(net_.parameters(), checkpoint->model.tensors, kOrigin);
    net_.set_requires_grad(true);
    state_ = std::make_unique<TrainState>(net_.parameters(), config_.train);
    if (checkpoint) {
      load_into(state_->ema.parameters(), checkpoint->model_ema.tensors, kOrigin);
      state_->optimizer->load_state(checkpoint->optimizer.tensors, kOrigin);
      state_->step = first_step_ = saved_step_ = checkpoint->step;
      best_score_ = checkpoint->best_score;
      log_line(resumed());
      checkpoint.reset();
    }
    if (!start_.resumed) begin();
    Progress progress("train", config_.train.steps, "step", state_->step);
    progress_ = &progress;
    window_begin_ = std::chrono::steady_clock::now();
    try {
      const BatchAt batch_at = prefetch(data_.source.batch_at, std::bind_front(next_micro_batch, config_.train));
      uvic::train(*state_, make_loss(batch_at, net_, *ema_model_.schedule, config_.objective, ema_model_.device),
                  config_.train, ema_model_.device.type(), [this](const StepStats& stats) { after_step(stats); });
    } catch (const Interrupted&) {
      // The finished step is saved below.
    } catch (const Error& error) {
      if (begun_) note(error);
      if (saved_step_ == 0) throw;
      fail("{}. The last good checkpoint is {}", error.what(), folder_.latest().string());
    }
    if (!begun_) begin();  // no step was left to do
    if (state_->step > saved_step_) save(false);
    const bool finished = state_->step >= config_.train.steps;
    log(fmt::format("{} at step {}: {}", finished ? "finished" : "interrupted", state_->step,
                    folder_.latest().string()));
    if (!finished) throw Interrupted();
  }

 private:
  std::string resumed() const {
    return fmt::format("resumed at step {} of {} on {}", first_step_, config_.train.steps, ema_model_.device.str());
  }

  // The first that is written to the folder.
  void begin() {
    begun_ = true;
    folder_.tidy();
    if (start_.resumed) folder_.rewind(first_step_);
    folder_.write_text("config.toml", print_run_config(config_));
    folder_.write_text(kDeviceFile, ema_model_.device.str() + "\n");
    folder_.append_text("command.txt", start_.command + "\n");
    if (saved_step_ > 0) folder_.append_log(resumed());
  }

  void after_step(const StepStats& stats) {
    if (!begun_) begin();
    const auto due = [&](int64_t every) {
      return every > 0 && (stats.step % every == 0 || stats.step == config_.train.steps);
    };
    loss_sum_ += stats.loss;
    ++window_;
    progress_->update(stats.step, fmt::format("loss {:.4f}", loss_sum_ / static_cast<double>(window_)));
    std::map<std::string, double> row;
    if (due(config_.output.log_every)) row = log_row(stats);
    bool is_best = false;
    try {
      if (due(config_.output.sample_every)) draw_grid(stats.step);
      if (data_.scorer && due(config_.eval.every)) is_best = score(stats.step, row);
    } catch (const Interrupted&) {
      // There is no such grid or score; the step itself is recorded and saved all the same.
    }
    if (!row.empty()) folder_.record(stats.step, row);
    if (due(config_.output.save_every) || is_best) save(is_best);
    stop_if_interrupted();
  }

  std::map<std::string, double> log_row(const StepStats& stats) {
    const double images = static_cast<double>(window_ * config_.train.batch * config_.train.accumulate);
    std::map<std::string, double> row{{"loss", loss_sum_ / static_cast<double>(window_)},
                                      {"grad_norm", stats.grad_norm},
                                      {"lr", stats.lr},
                                      {"images_per_second", images / seconds_since(window_begin_)}};
    loss_sum_ = 0;
    window_ = 0;
    window_begin_ = std::chrono::steady_clock::now();
    return row;
  }

  void update_ema_model(int64_t step) {
    load_into(ema_model_.net.parameters(), to_map(state_->ema.parameters()), "EMA");
    ema_model_.card.step = step;
  }

  void draw_grid(int64_t step) {
    const bool is_latent = config_.data.latent_scale > 0;
    if (is_latent && !ema_model_.autoencoder) return;
    update_ema_model(step);
    try {
      const Tensor grid = draw_sample_grid(ema_model_, data_.source);
      folder_.record_image(step, "samples", encode_png(grid), grid.size(0), grid.size(1));
    } catch (const NotFinite& error) {
      warn(fmt::format("no sample grid at step {}: {}", step, error.what()));
    }
  }

  bool score(int64_t step, std::map<std::string, double>& row) {
    update_ema_model(step);
    const std::optional<Score> score = (*data_.scorer)(ema_model_, config_.sample);
    if (!score) return false;
    row[score->label] = score->value;
    log(fmt::format("step {}: {} {:.4f} ({} images, guidance {})", step, score->label, score->value, config_.eval.num,
                    config_.sample.cfg_scale));
    if (best_score_ && *best_score_ <= score->value) return false;
    best_score_ = score->value;
    return true;
  }

  // What an update that overflowed leaves shows in the next loss only, when the last good checkpoint may be gone.
  void expect_finite() const {
    for (const auto& [name, tensor, role] : state_->parameters)
      if (!is_finite(tensor))
        fail("step {}: the weights are not finite ({}). Lower train.lr, or set train.clip", state_->step, name);
  }

  void save(bool is_best) {
    expect_finite();
    ModelCard card = ema_model_.card;
    card.step = state_->step;
    const auto metadata = card.to_metadata();
    folder_.save({.step = state_->step,
                  .model = {to_map(state_->parameters), metadata},
                  .model_ema = {to_map(state_->ema.parameters()), metadata},
                  .optimizer = {state_->optimizer->state(), {}},
                  .best_score = best_score_},
                 is_best, config_.output.keep_last);
    saved_step_ = state_->step;
  }

  // What cannot be written to the log must not hide the error itself.
  void note(const Error& error) const {
    try {
      folder_.append_log(fmt::format("error: {}", error.what()));
    } catch (const Error&) {
    }
  }

  void log(const std::string& line) {
    log_line(line);
    folder_.append_log(line);
  }

  RunConfig config_;
  TrainingData data_;
  Start start_;
  RunFolder folder_;
  UVit net_;
  Model ema_model_;
  std::unique_ptr<TrainState> state_;
  std::optional<double> best_score_;
  int64_t first_step_ = 0, saved_step_ = 0, window_ = 0;
  bool begun_ = false;
  double loss_sum_ = 0;
  std::chrono::steady_clock::time_point window_begin_;
  Progress* progress_ = nullptr;
};

}  // namespace

void run_training(const RunConfig& config, const TrainingData& data, at::Device device, Start start) {
  Run(config, data, device, std::move(start)).train();
}

}  // namespace uvic
