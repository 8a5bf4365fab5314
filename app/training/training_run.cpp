#include "app/training/training_run.h"

#include <chrono>
#include <memory>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr std::string_view kStatePrefix = "state.";  // of the trainee's tensors beside the optimizer's

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Run {
 public:
  Run(Trainee trainee, Start start) : trainee_(std::move(trainee)), start_(std::move(start)), folder_(start_.folder) {}

  void train() {
    constexpr const char* kOrigin = "the run's checkpoint";
    std::optional<Checkpoint>& checkpoint = start_.checkpoint;
    if (checkpoint) load_into(trainee_.parameters, checkpoint->model.tensors, kOrigin);
    for (const Parameter& p : trainee_.parameters) p.tensor.set_requires_grad(true);
    state_ = std::make_unique<TrainState>(trainee_.parameters, trainee_.train);
    if (checkpoint) {
      load_into(state_->ema.parameters(), checkpoint->model_ema.tensors, kOrigin);
      load_optimizer(std::move(checkpoint->optimizer.tensors), kOrigin);
      state_->step = first_step_ = saved_step_ = checkpoint->step;
      best_score_ = checkpoint->best_score;
      log_line(resumed());
      checkpoint.reset();
    }
    if (!start_.resumed) begin();
    Progress progress("train", trainee_.train.steps, "step", state_->step);
    progress_ = &progress;
    window_begin_ = std::chrono::steady_clock::now();
    try {
      uvic::train(*state_, trainee_.loss, trainee_.train, trainee_.device.type(),
                  [this](const StepStats& stats) { after_step(stats); });
    } catch (const Interrupted&) {
      // The finished step is saved below.
    } catch (const Error& error) {
      if (begun_) note(error);
      if (saved_step_ == 0) throw;
      fail("{}. The last good checkpoint is {}", error.what(), folder_.latest().string());
    }
    if (!begun_) begin();  // no step was left to do
    if (state_->step > saved_step_) save(false);
    const bool finished = state_->step >= trainee_.train.steps;
    log(fmt::format("{} at step {}: {}", finished ? "finished" : "interrupted", state_->step,
                    folder_.latest().string()));
    if (!finished) throw Interrupted();
  }

 private:
  std::string resumed() const {
    return fmt::format("resumed at step {} of {} on {}", first_step_, trainee_.train.steps, trainee_.device.str());
  }

  void load_optimizer(TensorMap tensors, const std::string& origin) {
    TensorMap own;
    for (auto it = tensors.begin(); it != tensors.end();) {
      if (!it->first.starts_with(kStatePrefix)) {
        ++it;
        continue;
      }
      own[it->first.substr(kStatePrefix.size())] = it->second;
      it = tensors.erase(it);
    }
    state_->optimizer->load_state(tensors, origin);
    if (trainee_.load_state) trainee_.load_state(own);
  }

  TensorMap optimizer_tensors() const {
    TensorMap tensors = state_->optimizer->state();
    if (trainee_.state)
      for (const auto& [name, tensor] : trainee_.state()) tensors[std::string(kStatePrefix) + name] = tensor;
    return tensors;
  }

  // The first that is written to the folder.
  void begin() {
    begun_ = true;
    folder_.tidy();
    if (start_.resumed) folder_.rewind(first_step_);
    folder_.write_text("config.toml", trainee_.config);
    folder_.write_text(kDeviceFile, trainee_.device.str() + "\n");
    folder_.append_text("command.txt", start_.command + "\n");
    if (saved_step_ > 0) folder_.append_log(resumed());
  }

  void after_step(const StepStats& stats) {
    if (!begun_) begin();
    const auto due = [&](int64_t every) {
      return every > 0 && (stats.step % every == 0 || stats.step == trainee_.train.steps);
    };
    loss_sum_ += stats.loss;
    ++window_;
    progress_->update(stats.step, fmt::format("loss {:.4f}", loss_sum_ / static_cast<double>(window_)));
    std::map<std::string, double> row;
    if (due(trainee_.output.log_every)) row = log_row(stats);
    bool is_best = false;
    try {
      if (trainee_.sample && due(trainee_.output.sample_every))
        trainee_.sample(folder_, stats.step, state_->ema.parameters());
      if (trainee_.score && due(trainee_.score_every)) is_best = score(stats.step, row);
    } catch (const Interrupted&) {
      // There is no such sample or score; the step itself is recorded and saved all the same.
    }
    if (!row.empty()) folder_.record(stats.step, row);
    if (due(trainee_.output.save_every) || is_best) save(is_best);
    stop_if_interrupted();
  }

  std::map<std::string, double> log_row(const StepStats& stats) {
    const auto items = static_cast<double>(window_ * trainee_.items_per_step);
    std::map<std::string, double> row{{"loss", loss_sum_ / static_cast<double>(window_)},
                                      {"grad_norm", stats.grad_norm},
                                      {"lr", stats.lr},
                                      {trainee_.items + "_per_second", items / seconds_since(window_begin_)}};
    loss_sum_ = 0;
    window_ = 0;
    window_begin_ = std::chrono::steady_clock::now();
    return row;
  }

  bool score(int64_t step, std::map<std::string, double>& row) {
    const std::optional<RunScore> score = trainee_.score(step, state_->ema.parameters());
    if (!score) return false;
    row[score->label] = score->value;
    log(fmt::format("step {}: {} {:.4f} ({})", step, score->label, score->value, score->how));
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
    const auto metadata = trainee_.metadata(state_->step);
    folder_.save({.step = state_->step,
                  .model = {to_map(state_->parameters), metadata},
                  .model_ema = {to_map(state_->ema.parameters()), metadata},
                  .optimizer = {optimizer_tensors(), {}},
                  .best_score = best_score_},
                 is_best, trainee_.output.keep_last);
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

  Trainee trainee_;
  Start start_;
  RunFolder folder_;
  std::unique_ptr<TrainState> state_;
  std::optional<double> best_score_;
  int64_t first_step_ = 0, saved_step_ = 0, window_ = 0;
  bool begun_ = false;
  double loss_sum_ = 0;
  std::chrono::steady_clock::time_point window_begin_;
  Progress* progress_ = nullptr;
};

}  // namespace

void run_training(Trainee trainee, Start start) {
  Run(std::move(trainee), std::move(start)).train();
}

}  // namespace uvic
