#include "app/lm/text_run.h"

#include "app/cli/lm_options.h"
#include "app/cli/results.h"
#include "app/model/language_model.h"
#include "app/training/training_probe.h"
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

}  // namespace

HeldOut open_held_out(const std::string& spec, const Tokenizer& tokenizer) {
  const TextDocuments text = open_text(Spec::parse(spec));
  HeldOut held_out{.documents = tokenize(tokenizer, text.texts)};
  for (const std::string& document : text.texts) held_out.bytes += std::ssize(document);
  return held_out;
}

void run_text_training(const LmRunConfig& config, const TextSource& source, TrainedLm& trained,
                       const std::string& init_sha256, const std::optional<HeldOut>& held_out, at::Device device,
                       Start start) {
  Cogformer averaged(cogformer_config(config.lm));
  averaged.to(device, at::kFloat);
  PassedState passed;
  const auto take = [&](const Parameters& average) {
    load_into(averaged.parameters(), trained.weights(average), "EMA");
  };
  Trainee trainee{.config = print_config<LmOptions>(config),
                  .train = config.train,
                  .output = config.output,
                  .device = device,
                  .parameters = trained.parameters(),
                  .loss = trained.loss(source, config, device, passed),
                  .items = "tokens",
                  .items_per_step = items_per_step(config.train) * config.data.length,
                  .metadata =
                      [&](int64_t step) {
                        return LmCard{
                            .config = config, .step = step, .tokenizer = source.tokenizer, .init_sha256 = init_sha256}
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
      return RunScore{"perplexity", p.value, p.interval, fmt::format("{} held-out documents", p.documents)};
    };
  }
  run_training(std::move(trainee), std::move(start));
}

void plan_text_training(const LmRunConfig& config, const TextSource& source, TrainedLm& trained, at::Device device) {
  PassedState passed;
  const auto [count, peak, seconds] =
      probe_training(trained.parameters(), trained.loss(source, config, device, passed), config.train, device);
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
