#include "app/training/training_run.h"

#include <algorithm>
#include <memory>

#include "app/training/machine.h"
#include "app/training/run_page.h"
#include "app/world/shared_work.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr std::string_view kStatePrefix = "state.";  // of the trainee's tensors beside the optimizer's

class Run {
 public:
  Run(Trainee trainee, Start start)
      : trainee_(std::move(trainee)), start_(std::move(start)), world_(start_.world), folder_(start_.folder) {}

  void train() {
    begin_with_checkpoint();
    if (folder_ && !start_.resumed) begin();
    Progress progress("train", trainee_.train.steps, "step", state_->step);
    progress_ = &progress;
    window_begin_ = Clock::now();
    try {
      uvic::train(
          *state_, trainee_.loss, trainee_.train, trainee_.device.type(),
          [this](const StepStats& stats) { after_step(stats); }, world_);
    } catch (const Interrupted&) {
      // The finished step is saved below.
    } catch (const Error& error) {
      if (begun_) note(error);
      if (saved_step_ == 0) throw;
      fail("{}. The last good checkpoint is {}", error.what(), folder_->latest().string());
    }
    if (folder_) end();
    world_.barrier(kPatience);  // a rank that ends sooner would end the others
    if (state_->step < trainee_.train.steps) throw Interrupted();
  }

 private:
  void begin_with_checkpoint() {
    constexpr const char* kOrigin = "the run's checkpoint";
    std::optional<Checkpoint>& checkpoint = start_.checkpoint;
    if (checkpoint) load_into(trainee_.parameters, checkpoint->model.tensors, kOrigin);
    share(trainee_.parameters);  // processors of several kinds do not draw the same bits
    for (const Parameter& p : trainee_.parameters) p.tensor.set_requires_grad(true);
    state_ = std::make_unique<TrainState>(trainee_.parameters, trainee_.train, world_);
    if (!checkpoint) return;
    load_into(state_->ema.parameters(), checkpoint->model_ema.tensors, kOrigin);
    load_optimizer(std::move(checkpoint->optimizer.tensors), kOrigin);
    state_->step = first_step_ = checkpoint->step;
    if (folder_) saved_step_ = first_step_;
    best_score_ = checkpoint->best_score;
    log_line(resumed());
    checkpoint.reset();
  }

  // Rank 0's values for all.
  void share(const Parameters& parameters) const {
    std::vector<Tensor> tensors;
    for (const Parameter& p : parameters) tensors.push_back(p.tensor.detach());
    world_.broadcast(tensors);
  }

  void end() {
    if (!begun_) begin();  // no step was left to do
    if (state_->step > saved_step_) save(false);
    log(fmt::format("{} at step {}: {}", state_->step >= trainee_.train.steps ? "finished" : "interrupted",
                    state_->step, folder_->latest().string()));
  }

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
    folder_->tidy();
    if (start_.resumed) folder_->rewind(first_step_);
    folder_->write_text("config.toml", trainee_.config);
    folder_->write_text(kDeviceFile, trainee_.device.str() + "\n");
    folder_->append_text("command.txt", start_.command + "\n");
    folder_->append_text(kMachineFile, machine_entry(first_step_, trainee_.device, world_.size()).dump() + "\n");
    if (saved_step_ > 0) folder_->append_log(resumed());
    if (start_.serve) page_.emplace(folder_->path(), *start_.serve);
  }

  bool is_due(int64_t every) const {
    return every > 0 && (state_->step % every == 0 || state_->step == trainee_.train.steps);
  }

  void after_step(const StepStats& stats) {
    if (folder_ && !begun_) begin();
    loss_sum_ += stats.loss;
    busy_ += stats.seconds - stats.waited;
    ++window_;
    progress_->update(stats.step, fmt::format("loss {:.4f}", loss_sum_ / static_cast<double>(window_)));
    share_state();
    std::map<std::string, double> row;
    if (is_due(trainee_.output.log_every)) row = log_row(stats);
    const bool samples = trainee_.sample && is_due(trainee_.output.sample_every),
               scores = trainee_.score && is_due(trainee_.score_every), saves = is_due(trainee_.output.save_every);
    if (folder_) write_down(stats, std::move(row), samples, scores, saves);
    if (samples || scores || saves) world_.barrier(kPatience);
    if (world_.size() > 1 && is_due(trainee_.train.world.check)) expect_equal_weights();
    if (stats.interrupted) throw Interrupted();
    if (world_.size() == 1) stop_if_interrupted();  // others would not know
  }

  void write_down(const StepStats& stats, std::map<std::string, double> row, bool samples, bool scores, bool saves) {
    bool is_best = false;
    try {
      if (samples) trainee_.sample(*folder_, stats.step, state_->ema.parameters());
      if (scores) is_best = score(stats.step, row);
    } catch (const Interrupted&) {
      // There is no such sample or score; the step itself is recorded and saved all the same.
    }
    if (!row.empty()) folder_->record(stats.step, row);
    if (saves || is_best) save(is_best);
  }

  // What else the next step depends on is that of rank 0.
  void share_state() const {
    if (!trainee_.state || world_.size() == 1) return;
    std::vector<Tensor> tensors;
    for (const auto& [name, tensor] : trainee_.state()) tensors.push_back(tensor);
    world_.broadcast(tensors);
  }

  void expect_equal_weights() const {
    std::string bytes;
    for (const Parameter& p : state_->parameters) {
      const Tensor values = p.tensor.detach().to(at::kCPU).contiguous();
      bytes += sha256_of_bytes(std::string_view(static_cast<const char*>(values.const_data_ptr()), values.nbytes()));
    }
    world_.expect_equal("weights", sha256_of_bytes(bytes));
  }

  std::map<std::string, double> log_row(const StepStats& stats) {
    const auto steps = static_cast<double>(window_);
    std::map<std::string, double> row{
        {"loss", loss_sum_ / steps},
        {"grad_norm", stats.grad_norm},
        {"lr", stats.lr},
        {trainee_.items + "_per_second",
         steps * static_cast<double>(trainee_.items_per_step) / seconds_since(window_begin_)}};
    if (world_.size() > 1) add_ranks_times(row, busy_ / steps);
    loss_sum_ = busy_ = 0;
    window_ = 0;
    window_begin_ = Clock::now();
    return row;
  }

  // A rank that is slower than the others shows: seconds a step without waiting, of the slowest and on average.
  void add_ranks_times(std::map<std::string, double>& row, double mine) const {
    double slowest = 0, sum = 0;
    for (const std::string& time : world_.gather(fmt::format("{}", mine))) {
      slowest = std::max(slowest, std::stod(time));
      sum += std::stod(time);
    }
    row["rank_seconds_slowest"] = slowest;
    row["rank_seconds_mean"] = sum / static_cast<double>(world_.size());
  }

  bool score(int64_t step, std::map<std::string, double>& row) {
    const std::optional<RunScore> score = trainee_.score(step, state_->ema.parameters());
    if (!score) return false;
    row[score->label] = score->value;
    if (score->interval) {
      row[score->label + std::string(kScoreLow)] = score->interval->first;
      row[score->label + std::string(kScoreHigh)] = score->interval->second;
    }
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
    folder_->save({.step = state_->step,
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
      folder_->append_log(fmt::format("error: {}", error.what()));
    } catch (const Error&) {
    }
  }

  void log(const std::string& line) {
    log_line(line);
    folder_->append_log(line);
  }

  Trainee trainee_;
  Start start_;
  World world_;
  std::optional<RunFolder> folder_;
  std::unique_ptr<TrainState> state_;
  std::optional<double> best_score_;
  int64_t first_step_ = 0, saved_step_ = 0, window_ = 0;
  bool begun_ = false;
  std::optional<RunPage> page_;
  double loss_sum_ = 0, busy_ = 0;
  Clock::time_point window_begin_;
  Progress* progress_ = nullptr;
};

}  // namespace

void run_training(Trainee trainee, Start start) {
  Run(std::move(trainee), std::move(start)).train();
}

}  // namespace uvic
