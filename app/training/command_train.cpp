// uvic train
#include <memory>

#include "app/cli/config_source.h"
#include "app/training/beginning.h"
#include "app/training/image_run.h"
#include "app/training/resume.h"
#include "app/training/run_arguments.h"
#include "app/training/training_plan.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

struct TrainCommand {
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  RunArguments arguments;

  void run(const std::string& command_line) {
    const std::optional<RunFolder> folder = arguments.begin(source, *options, config.output.name);
    if (!folder && source.empty() && config.init.file.empty())
      fail("nothing to train: give --preset NAME or --config FILE (`uvic train --help` lists them), or --init FILE");
    if (folder && trains_language_model(*folder))
      fail("{} trains a language model: go on with it by `uvic lm train --resume`", folder->path().string());
    if (folder) apply_run_config(*options, *folder);
    take_part(meet(config.train), [&](const World& world) { train(world, folder, command_line); });
  }

 private:
  void train(const World& world, const std::optional<RunFolder>& folder, const std::string& command_line) {
    const at::Device where = arguments.where(folder, world);
    std::optional<Checkpoint> checkpoint = arguments.checkpoint(folder, world);
    const Beginning beginning = open_beginning(config, *options, folder, checkpoint);
    const TrainingData data =
        open_training_data(config, beginning.card ? beginning.card->vocabulary : std::optional<Vocabulary>());
    stop_if_interrupted();  // nothing is written yet
    if (checkpoint) expect_same_meaning(*folder, *checkpoint, config, data.source);
    expect_same_run(world, print_config<RunOptions>(config), data.description, [&] {
      return data.source.batch_at({0, 1}).x;
    });
    for (const std::string& doubt : doubts(config.train)) warn(doubt);
    if (world.rank() == 0) print_resolved(print_config<RunOptions>(config));
    TrainedNetwork net(config, data, beginning, where);  // what does not fit shows before a folder is made
    if (arguments.dry_run) {
      plan_training(config, data, net, where);
      return;
    }
    run_image_training(config, data, net, beginning.sha256, where,
                       arguments.start(folder, config.output.name, std::move(checkpoint), command_line, world));
  }
};

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("train", "train a model");
  auto command = std::make_shared<TrainCommand>();
  command->source.add_options(*sub);
  command->arguments.add_options(*sub);
  command->options = std::make_unique<RunOptions>(*sub, command->config);
  sub->callback([command, sub] { command->run(command_line(*sub)); });
}

}  // namespace uvic
