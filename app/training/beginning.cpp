#include "app/training/beginning.h"

#include "core/error.h"
#include "core/files.h"

namespace uvic {
namespace {

// With the checkpoint's words and classes, and of adapters the base again.
Beginning resumed_beginning(RunConfig& config, const RunFolder& run, const Checkpoint& checkpoint) {
  const std::string origin = fmt::format("checkpoint-{} of {}", checkpoint.step, run.path().string());
  Beginning beginning{{}, ModelCard::from_metadata(checkpoint.model.metadata, origin)};
  if (!beginning.card) fail("{} is damaged: it does not say how its model is built", origin);
  beginning.sha256 = beginning.card->init_sha256;
  const std::string& before = beginning.card->config.init.file;
  if (config.lora.rank > 0) {
    const uint64_t seed = beginning.card->config.train.seed;
    if (parse_allowed(config.init.allow).fresh && config.train.seed != seed)
      fail("{} has parameters beside its base that train.seed {} drew: it cannot become {}", origin, seed,
           config.train.seed);
    fs::path base = config.init.file;
    if (fs::exists(base)) base = fs::absolute(find_model_file(base)).lexically_normal();
    expect_base(base, beginning.sha256, origin, "--init");
    config.init.file = base;
    beginning.weights = read_model_weights(base);
  } else if (config.init.file != before) {
    fail("{} began with {}, which cannot become {}: leave out --init", origin, before, config.init.file);
  }
  return beginning;
}

}  // namespace

void expect_init(const InitConfig& init, const LoraConfig& lora) {
  if (lora.rank == 0 && lora.alpha > 0)
    fail("lora.alpha {} is of adapters: give their rank with --lora.rank", lora.alpha);
  if (!init.file.empty()) return;
  if (lora.rank > 0) fail("lora.rank {} trains adapters of given weights: give these with --init FILE", lora.rank);
  if (!init.allow.empty()) fail("init.allow is of given weights: give these with --init FILE");
}

Beginning open_beginning(RunConfig& config, RunOptions& options, const std::optional<RunFolder>& to_resume,
                         const std::optional<Checkpoint>& checkpoint) {
  expect_init(config.init, config.lora);
  if (config.init.file.empty()) return {};
  if (checkpoint) return resumed_beginning(config, *to_resume, *checkpoint);
  ModelWeights weights = read_model_weights(config.init.file);
  config.init.file = fs::absolute(weights.file).lexically_normal();
  if (weights.card && !to_resume)
    options.apply_toml(inherited_config<RunOptions>(weights.card->config), "config of " + weights.file.string());
  Beginning beginning{{}, weights.card, weights.sha256};
  beginning.weights = std::move(weights);
  return beginning;
}

}  // namespace uvic
