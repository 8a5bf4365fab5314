// uvic lm train
#include <memory>

#include "app/cli/config_source.h"
#include "app/cli/lm_options.h"
#include "app/lm/lm_commands.h"
#include "app/lm/text_run.h"
#include "app/training/resume.h"
#include "app/training/run_arguments.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

// The card of the run's newest checkpoint. Error if the config would give its weights another meaning.
std::optional<LmCard> card_of(const std::optional<Checkpoint>& checkpoint, const LmRunConfig& config) {
  if (!checkpoint) return std::nullopt;
  const std::string origin = fmt::format("checkpoint-{} of the run", checkpoint->step);
  LmCard card = LmCard::from_metadata(checkpoint->model.metadata, origin);
  if (const auto change = change_of_meaning<LmOptions>(card.config, config))
    fail("{0} was trained with {1} {2}, which cannot become {3}: leave out --{1}, or start a new run", origin,
         change->key, change->before, change->after);
  return card;
}

struct LmTrainCommand {
  LmRunConfig config;
  ConfigSource source{.preset = {}, .file = {}, .table = lm_presets()};
  std::unique_ptr<LmOptions> options;
  RunArguments arguments;

  void run(const std::string& command_line) {
    const std::optional<RunFolder> folder = arguments.begin(source, *options, config.output.name);
    if (!folder && source.empty() && config.init.file.empty())
      fail("nothing to train: give --preset NAME or --config FILE (`uvic lm train --help` lists them), or --init FILE");
    if (folder && !trains_language_model(*folder))
      fail("{} trains an image model: go on with it by `uvic train --resume`", folder->path().string());
    if (folder) apply_run_config(*options, *folder);
    take_part(meet(config.train), [&](const World& world) { train(world, folder, command_line); });
  }

 private:
  void train(const World& world, const std::optional<RunFolder>& folder, const std::string& command_line) {
    const at::Device where = arguments.where(folder, world);
    std::optional<Checkpoint> checkpoint = arguments.checkpoint(folder, world);
    const std::optional<LmCard> card = card_of(checkpoint, config);
    const TextBeginning beginning = open_text_beginning(config, *options, folder.has_value(), card);
    const TextSource text = open_text_source(config, beginning.tokenizer);
    std::optional<HeldOut> held_out;
    if (config.eval.every > 0 && !config.eval.against.empty())
      held_out = open_held_out(config.eval.against, text.tokenizer);
    stop_if_interrupted();  // nothing is written yet
    expect_same_run(world, print_config<LmOptions>(config), text.description, [&] {
      return text.batch_at({0, 1}).tokens;
    });
    for (const std::string& doubt : doubts(config.train)) warn(doubt);
    if (world.rank() == 0) print_resolved(print_config<LmOptions>(config));
    TrainedLm trained(config, beginning, where);  // what does not fit shows before a folder is made
    if (arguments.dry_run) {
      plan_text_training(config, text, trained, where);
      return;
    }
    run_text_training(config, text, trained, beginning.sha256, held_out, where,
                      arguments.start(folder, config.output.name, std::move(checkpoint), command_line, world));
  }
};

}  // namespace

void add_lm_train(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand("train", "train a language model");
  auto command = std::make_shared<LmTrainCommand>();
  command->source.add_options(*sub);
  command->arguments.add_options(*sub);
  command->options = std::make_unique<LmOptions>(*sub, command->config);
  sub->callback([command, sub] { command->run(command_line(*sub)); });
}

}  // namespace uvic
