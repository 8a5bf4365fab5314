#include "app/bench/text_bench.h"

#include "app/lm/text_loss.h"
#include "bench/timing.h"
#include "core/random.h"
#include "lm/generator.h"

namespace uvic {
namespace {

Tensor random_tokens(const LmConfig& config, int64_t rows, int64_t length) {
  return at::randint(config.vocabulary, {rows, length}, make_generator(0, Stream::kNoise), at::kLong);
}

// A model that trains on the same random rows step after step.
class TextTrainee {
 public:
  TextTrainee(const LmConfig& config, const std::string& precision, const TextShape& shape)
      : net_(cogformer_config(config)) {
    run_.train.steps = 0;
    run_.train.batch = shape.batch;
    run_.train.warmup = 0;
    run_.train.precision = precision;
    const Tensor begins = at::arange(shape.length).remainder(shape.document).eq(0).expand({shape.batch, -1});
    const TextBatch batch{
        .tokens = random_tokens(config, shape.batch, shape.length), .counted = {}, .visible = document_keys(begins)};
    for (const Parameter& p : net_.parameters()) p.tensor.set_requires_grad(true);
    state_ = std::make_unique<TrainState>(net_.parameters(), run_.train);
    loss_ = make_text_loss([batch](Items) { return batch; }, net_, run_, at::kCPU, passed_);
  }

  void step() {
    ++run_.train.steps;
    train(*state_, loss_, run_.train, at::kCPU, [](const StepStats&) {});
  }

 private:
  Cogformer net_;
  LmRunConfig run_;
  PassedState passed_;
  std::unique_ptr<TrainState> state_;
  StepLoss loss_;
};

class Writer {
 public:
  Writer(const LmConfig& config, const WritingShape& shape) : net_(cogformer_config(config)), tokens_(shape.tokens) {
    const Tensor prompt = random_tokens(config, 1, shape.prompt).to(at::kInt);
    prompt_.assign(prompt.const_data_ptr<int32_t>(), prompt.const_data_ptr<int32_t>() + shape.prompt);
  }
  void write() const {
    write_tokens(net_, prompt_, tokens_, 0, {.temperature = 0}, [](int32_t) { return true; });
  }

 private:
  Cogformer net_;
  std::vector<int32_t> prompt_;
  int64_t tokens_;
};

TextTiming time_tokens(const std::function<void()>& work, int64_t tokens, int64_t rounds) {
  reset_peak_memory();
  const Timing timing = time_in_turn({work}, rounds).front();
  return {1e3 * timing.min, 1e3 * timing.median, static_cast<double>(tokens) / timing.min, peak_memory_mib()};
}

}  // namespace

TextTiming bench_text_training(const LmConfig& config, const std::string& precision, const TextShape& shape,
                               int64_t rounds) {
  TextTrainee trainee(resolve(config), precision, shape);
  return time_tokens([&] { trainee.step(); }, shape.batch * shape.length, rounds);
}

std::vector<OperationTime> profile_text_training(const LmConfig& config, const std::string& precision,
                                                 const TextShape& shape) {
  TextTrainee trainee(resolve(config), precision, shape);
  trainee.step();
  return profile([&] { trainee.step(); });
}

TextTiming bench_writing(const LmConfig& config, const WritingShape& shape, int64_t rounds) {
  const Writer writer(resolve(config), shape);
  return time_tokens([&] { writer.write(); }, shape.tokens, rounds);
}

std::vector<OperationTime> profile_writing(const LmConfig& config, const WritingShape& shape) {
  const Writer writer(resolve(config), shape);
  writer.write();
  return profile([&] { writer.write(); });
}

}  // namespace uvic
