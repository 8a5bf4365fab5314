#include "app/training/training_run.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/json_lines.h"
#include "app/cli/options.h"
#include "app/cli/prompts.h"
#include "app/draw/pipeline.h"
#include "app/model/model.h"
#include "app/training/latent_stream.h"
#include "app/training/training_latents.h"
#include "app/training/training_loss.h"
#include "core/files.h"
#include "core/formats/safetensors.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "datasets/stream.h"
#include "train/train.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

Vocabulary build_vocabulary(const Dataset& data, int64_t max_size, int64_t context_tokens) {
  std::vector<std::string> captions;
  for (int64_t i = 0; i < data.size(); ++i)
    for (std::string& caption : data.captions(i)) captions.push_back(std::move(caption));
  if (captions.empty()) fail("data.condition is text, but the data has no captions: {}", data.description());
  const auto is_long = [&](const std::string& caption) { return Vocabulary::count_words(caption) > context_tokens; };
  if (const int64_t cut = std::ranges::count_if(captions, is_long); cut > 0)
    warn(fmt::format("{} of {} captions are longer than {} words: their ends are left out (model.context_tokens)", cut,
                     captions.size(), context_tokens));
  return Vocabulary::build(captions, max_size);
}

std::string first_caption(const Dataset& data, int64_t image) {
  const std::vector<std::string> captions = data.captions(image);
  return captions.empty() ? "" : captions.front();
}

BatchAt make_batches(const RunConfig& config, const TrainingData& data) {
  const StreamConfig stream{.seed = config.train.seed,
                            .batch = config.train.batch,
                            .flip = config.data.flip,
                            .drop_condition = config.data.drop_condition,
                            .num_classes = config.model.classes,
                            .context_tokens = config.model.context_tokens};
  if (data.states) return prefetch(make_caption_stream(data.images, data.states, stream));
  return prefetch(data.latents ? make_latent_stream(data.latents, stream, config.data.latent_scale)
                               : make_stream(data.images, data.vocabulary, stream));
}

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
                            .classes = data.images->classes(),
                            .vocabulary = data.vocabulary,
                            .text_encoder = data.states ? data.states->encoder() : ""},
                   .net = UVit(config.model),
                   .schedule = make_schedule(config.schedule),
                   .device = device} {
    net_.to(device, at::kFloat);
    ema_model_.net.to(device, at::kFloat);
    if (config_.model.classes == 0) ema_model_.card.classes.clear();
    if (data_.latents || data_.states)
      attach_encoders(ema_model_, {.autoencoder = config_.output.autoencoder, .text = config_.output.text});
  }

  int train() {
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
      uvic::train(*state_, make_loss(net_, *ema_model_.schedule, config_.objective, ema_model_.device),
                  make_batches(config_, data_), config_.train, ema_model_.device.type(),
                  [this](const StepStats& stats) { return after_step(stats); });
    } catch (const Error& error) {
      if (begun_) note(error);
      if (saved_step_ == 0) throw;
      fail("{}. The last good checkpoint is {}", error.what(), folder_.latest().string());
    }
    if (!begun_) begin();  // no step was left to do
    if (state_->step > saved_step_) save(false);
    log(fmt::format("{} at step {}: {}", state_->step < config_.train.steps ? "interrupted" : "finished", state_->step,
                    folder_.latest().string()));
    return state_->step < config_.train.steps ? kExitInterrupted : 0;
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

  bool after_step(const StepStats& stats) {
    if (!begun_) begin();
    const auto due = [&](int64_t every) {
      return every > 0 && (stats.step % every == 0 || stats.step == config_.train.steps);
    };
    loss_sum_ += stats.loss;
    ++window_;
    progress_->update(stats.step, fmt::format("loss {:.4f}", loss_sum_ / static_cast<double>(window_)));
    std::map<std::string, double> row;
    if (due(config_.output.log_every)) row = log_row(stats);
    if (due(config_.output.sample_every)) draw_grid(stats.step);
    bool is_best = false;
    if (data_.scorer && due(config_.eval.every)) is_best = score(stats.step, row);
    if (!row.empty()) folder_.record(stats.step, row);
    if (due(config_.output.save_every) || is_best) save(is_best);
    return !interrupted();
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

  // The same seeds and conditions every time, so that grids of different steps can be compared.
  void draw_grid(int64_t step) {
    if (data_.latents && !ema_model_.autoencoder) return;
    update_ema_model(step);
    const int64_t side = config_.output.grid;
    std::vector<Request> requests;
    std::vector<std::string> captions;
    for (int64_t i = 0; i < side * side; ++i) {
      Request request{.seed = static_cast<uint64_t>(i), .prompt = "", .negative = "", .label = {}};
      if (config_.model.classes > 0) request.label = i % side % config_.model.classes;
      if (!data_.prompts.empty())
        request.prompt = data_.prompts[static_cast<size_t>(i) % data_.prompts.size()];
      else if (data_.latents && config_.model.context_tokens > 0)
        request_caption(*data_.latents, i, request);
      else if (data_.vocabulary || data_.states)
        request.prompt = first_caption(*data_.images, i % data_.images->size());
      captions.push_back(request.prompt);
      requests.push_back(request);
    }
    std::vector<Tensor> images;
    const GenerateOptions options{.sampler = config_.sample.sampler, .cfg_scale = config_.sample.cfg_scale};
    try {
      for (Drawing& drawing : generate(ema_model_, requests, options, [](int64_t) { return !interrupted(); }))
        images.push_back(drawing.image);
    } catch (const NotFinite& error) {
      return warn(fmt::format("no sample grid at step {}: {}", step, error.what()));
    }
    if (images.empty()) return;
    const bool captioned = config_.model.context_tokens > 0;
    if (!captioned) captions.clear();
    const Tensor grid = make_grid(images, captions, {.columns = side, .min_tile = captioned ? 96 : 0});
    folder_.record_image(step, "samples", encode_png(grid), grid.size(0), grid.size(1));
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

// Objectives and samplers that do not go with the schedule would stop the run later: one pixel shows it now.
void try_diffusion(const RunConfig& config) {
  const auto schedule = make_schedule(config.schedule);
  const Tensor pixel = at::zeros({1, 1, 1, 1});
  const Network network = [](const Tensor& x, const Tensor&) { return x; };
  diffusion_loss(network, *schedule, config.objective, pixel, at::ones({1}), pixel);
  const Denoiser nothing = [](const Tensor& x, double) { return at::zeros_like(x); };
  const Sampler sampler = find(samplers(), config.sample.sampler.kind, "sampler").value;
  sampler(nothing, *schedule, pixel, config.sample.sampler, [](const Tensor& x) { return x; });
}

// "uvic" for a U-ViC.
std::string network_in_names(const UVitConfig& model) {
  std::string name = find(attention_kinds(), model.attention, "attention kind").value.network;
  std::erase(name, '-');
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

TrainingData open_training_data(RunConfig& config) {
  config.model = resolve(config.model);
  try_diffusion(config);
  Spec spec = Spec::parse(config.data.spec);
  spec.options.try_emplace("size", std::to_string(config.model.image_size));
  config.data.spec = spec.text();
  TrainingData data{
      .images = open_dataset(spec), .latents = {}, .vocabulary = {}, .states = {}, .prompts = {}, .scorer = nullptr};
  data.latents = std::dynamic_pointer_cast<const LatentDataset>(data.images);
  if (data.images->image_size() != config.model.image_size)
    fail("the images of {} are {} pixels wide, the model takes {}: set ?size= or --model.image_size", config.data.spec,
         data.images->image_size(), config.model.image_size);

  if (data.latents)
    fit_latents(config, *data.latents);
  else
    fit_pictures(config);
  const std::string& condition = config.data.condition;
  if (!config.output.prompts.empty()) {
    if (condition != "text") fail("output.prompts: the model reads no text, since data.condition is {}", condition);
    data.prompts = read_prompts(config.output.prompts);
  }
  config.model.classes = condition == "class" ? static_cast<int64_t>(data.images->classes().size()) : 0;
  if (condition == "class" && config.model.classes == 0)
    fail("data.condition is class, but the data has no classes: {}", data.images->description());
  if (condition == "text" && data.latents) {
    config.model.vocabulary = 0;  // the states are there
  } else if (condition == "text") {
    if (config.model.context_tokens == 0)
      fail("data.condition is text, but model.context_tokens is 0: give the longest prompt in words");
    if (config.data.text_encoder.empty())
      data.vocabulary = build_vocabulary(*data.images, config.data.max_vocabulary, config.model.context_tokens);
    else
      data.states = read_captions(*data.images, config);
    config.model.vocabulary = data.vocabulary ? data.vocabulary->size() : 0;
  } else {
    config.model.context_tokens = config.model.vocabulary = 0;
  }
  if (config.output.name.empty())
    config.output.name = fmt::format("{}-{}-{}", spec.kind, network_in_names(config.model), config.model.size);
  if (config.eval.every > 0)
    data.scorer = std::make_shared<ModelScorer>(
        config.eval, config.eval.against.empty() ? data.images : open_dataset(config.eval.against));
  return data;
}

void plan_training(const RunConfig& config, const TrainingData& data, at::Device device) {
  UVit net(config.model, config.train.seed);
  net.to(device, at::kFloat);
  net.set_requires_grad(true);
  const auto schedule = make_schedule(config.schedule);
  constexpr int kProbeSteps = 3;
  TrainConfig probe = config.train;
  probe.steps = 1 + kProbeSteps;  // the first one warms up
  TrainState state(net.parameters(), probe);
  double seconds = 0;
  auto begin = std::chrono::steady_clock::now();
  train(state, make_loss(net, *schedule, config.objective, device), make_batches(config, data), probe, device.type(),
        [&](const StepStats& stats) {
          stop_if_interrupted();
          if (stats.step > 1) seconds += seconds_since(begin) / kProbeSteps;
          begin = std::chrono::steady_clock::now();
          return true;
        });
  const int64_t peak = peak_memory(device);
  const int64_t count = count_parameters(state.parameters);
  const double parameters = static_cast<double>(count), total = seconds * static_cast<double>(config.train.steps);
  const int64_t state_bytes = count * 20, checkpoints = config.output.keep_last + 1, disk = count * 16 * checkpoints;
  if (as_json())
    return print_json({{"data", data.images->description()},
                       {"parameters", count},
                       {"tokens", sequence_length(config.model)},
                       {"device", device.str()},
                       {"memory_peak", peak},
                       {"memory_state", state_bytes},
                       {"step_s", seconds},
                       {"steps", config.train.steps},
                       {"total_s", total},
                       {"disk", disk}});
  constexpr double kMega = 1 << 20;
  fmt::print("data            {}\n", visible(data.images->description()));
  fmt::print("parameters      {:.2f} M, {} tokens\n", parameters / 1e6, sequence_length(config.model));
  fmt::print(
      "memory          {:.0f} MiB on {} at the peak of the probe; {:.0f} MiB of it weights, gradients, optimizer and "
      "EMA\n",
      static_cast<double>(peak) / kMega, device.str(), static_cast<double>(state_bytes) / kMega);
  fmt::print("time            {:.3f} s a step, {} for {} steps (without grids and scores)\n", seconds,
             format_duration(total), config.train.steps);
  fmt::print("disk            {:.0f} MiB for {} checkpoints\n", static_cast<double>(disk) / kMega, checkpoints);
}

int run_training(const RunConfig& config, const TrainingData& data, at::Device device, Start start) {
  return Run(config, data, device, std::move(start)).train();
}

}  // namespace uvic
