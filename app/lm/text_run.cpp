#include "app/lm/text_run.h"

#include <chrono>

#include "app/cli/lm_options.h"
#include "app/cli/results.h"
#include "app/lm/text_loss.h"
#include "app/model/language_model.h"
#include "core/device.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "datasets/text_documents.h"
#include "lm/generator.h"
#include "lm/packed_text.h"

namespace uvic {
namespace {

constexpr int64_t kSampleTexts = 8, kSampleTokens = 64;

std::string sample_texts(const Cogformer& net, const Tokenizer& tokenizer) {
  std::string all;
  for (int64_t i = 0; i < kSampleTexts; ++i) {
    stop_if_interrupted();
    all += write_text(net, tokenizer, {.prompt = "", .tokens = kSampleTokens, .seed = static_cast<uint64_t>(i)}).text;
    all += '\n';
  }
  return all;
}

// The network of a run, trained itself or by adapters on it.
class TrainedLm {
 public:
  TrainedLm(const LmRunConfig& config, const TextBeginning& beginning, at::Device device)
      : net_(cogformer_config(config.lm), config.train.seed) {
    if (beginning.model) begin_with(net_, *beginning.model, config.init);
    net_.to(device, at::kFloat);
    own_ = net_.parameters();
    if (config.lora.rank > 0) adapters_.emplace(own_, config.lora, config.train.seed, MatrixLayout::kInOut);
  }

  const Parameters& parameters() const { return adapters_ ? adapters_->parameters() : own_; }

  // Of the source; this object and `passed` must outlive it.
  StepLoss loss(const TextSource& source, const LmRunConfig& config, at::Device device, PassedState& passed) {
    StepLoss plain = make_text_loss(source.batch_at, net_, config, device, passed);
    if (!adapters_) return plain;
    return [this, plain = std::move(plain)](int64_t micro_batch, at::Generator& generator) {
      const TensorMap sums = adapters_->weights();
      net_.replace([&sums](const std::string& name, const Tensor&, Role) { return sums.at(name); });
      return plain(micro_batch, generator);
    };
  }

  TensorMap weights(const Parameters& values) const {
    const at::NoGradGuard no_grad;
    return adapters_ ? adapters_->weights(to_map(values)) : to_map(values);
  }

 private:
  Cogformer net_;
  Parameters own_;
  std::optional<Adapters> adapters_;
};

}  // namespace

HeldOut open_held_out(const std::string& spec, const Tokenizer& tokenizer) {
  const TextDocuments text = open_text(Spec::parse(spec));
  HeldOut held_out{.documents = tokenize(tokenizer, text.texts)};
  for (const std::string& document : text.texts) held_out.bytes += std::ssize(document);
  return held_out;
}

void run_text_training(const LmRunConfig& config, const TextSource& source, const TextBeginning& beginning,
                       const std::optional<HeldOut>& held_out, at::Device device, Start start) {
  TrainedLm trained(config, beginning, device);
  Cogformer averaged(cogformer_config(config.lm));
  averaged.to(device, at::kFloat);
  PassedState passed;
  const auto take = [&](const Parameters& average) {
    load_into(averaged.parameters(), trained.weights(average), "EMA");
  };
  Trainee trainee{
      .config = print_config<LmOptions>(config),
      .train = config.train,
      .output = config.output,
      .device = device,
      .parameters = trained.parameters(),
      .loss = trained.loss(source, config, device, passed),
      .items = "tokens",
      .items_per_step = config.train.batch * config.train.accumulate * config.data.length,
      .metadata =
          [&](int64_t step) {
            return LmCard{
                .config = config, .step = step, .tokenizer = source.tokenizer, .init_sha256 = beginning.sha256}
                .to_metadata();
          },
      .state = [&] { return passed.tensors(); },
      .load_state = [&](const TensorMap& tensors) { passed.load(tensors); },
      .sample =
          [&](RunFolder& folder, int64_t step, const Parameters& average) {
            take(average);
            folder.record_text(step, sample_texts(averaged, source.tokenizer));
          }};
  if (held_out) {
    trainee.score_every = config.eval.every;
    trainee.score = [&](int64_t, const Parameters& average) -> std::optional<RunScore> {
      take(average);
      const Perplexity p =
          perplexity(averaged, held_out->documents, config.data.length, [](int64_t) { stop_if_interrupted(); });
      return RunScore{"perplexity", p.value, fmt::format("{} held-out documents", p.documents)};
    };
  }
  run_training(std::move(trainee), std::move(start));
}

void plan_text_training(const LmRunConfig& config, const TextSource& source, const TextBeginning& beginning,
                        at::Device device) {
  TrainedLm trained(config, beginning, device);
  for (const Parameter& p : trained.parameters()) p.tensor.set_requires_grad(true);
  PassedState passed;
  constexpr int kProbeSteps = 3;
  TrainConfig probe = config.train;
  probe.steps = 1 + kProbeSteps;  // the first one warms up
  TrainState state(trained.parameters(), probe);
  double seconds = 0;
  auto begin = std::chrono::steady_clock::now();
  train(state, trained.loss(source, config, device, passed), probe, device.type(), [&](const StepStats& stats) {
    stop_if_interrupted();
    const auto now = std::chrono::steady_clock::now();
    if (stats.step > 1) seconds += std::chrono::duration<double>(now - begin).count() / kProbeSteps;
    begin = std::chrono::steady_clock::now();
  });
  const int64_t peak = peak_memory(device), count = count_parameters(state.parameters);
  const double total = seconds * static_cast<double>(config.train.steps);
  const int64_t disk = count * 16 * (config.output.keep_last + 1);
  const auto mega = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  print_result({{"data", source.description},
                {"parameters", count},
                {"device", device.str()},
                {"memory_peak", peak},
                {"step_s", seconds},
                {"steps", config.train.steps},
                {"total_s", total},
                {"disk", disk}},
               fmt::format("data            {}\nparameters      {:.2f} M, rows of {} tokens\n"
                           "memory          {:.0f} MiB on {} at the peak of the probe\n"
                           "time            {:.3f} s a step, {} for {} steps\ndisk            {:.0f} MiB",
                           visible(source.description), static_cast<double>(count) / 1e6, config.data.length,
                           mega(peak), device.str(), seconds, format_duration(total), config.train.steps, mega(disk)));
}

}  // namespace uvic
