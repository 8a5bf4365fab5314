// uvic train
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/config_source.h"
#include "app/cli/results.h"
#include "app/training/resume.h"
#include "app/training/training_plan.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

struct TrainCommand {
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  std::string parent = "runs", resume, device;
  bool dry_run = false;

  void run(const std::string& command_line) {
    std::optional<RunFolder> folder;
    if (!resume.empty()) folder = resume == "latest" ? RunFolder::open_latest(parent) : RunFolder::open(resume);
    if (!folder && source.empty())
      fail("nothing to train: give --preset NAME or --config FILE (`uvic train --help` lists them)");
    const at::Device where =
        folder && device.empty() ? device_of_run(*folder) : parse_device(device.empty() ? "cpu" : device);
    source.apply(*options);
    if (folder) apply_run_config(*options, *folder);

    const TrainingData data = open_training_data(config);
    stop_if_interrupted();  // nothing is written yet
    const bool resumed = folder.has_value();
    std::optional<Checkpoint> checkpoint;
    if (resumed) {
      if (!dry_run) folder->lock();
      if (folder->has_checkpoint()) checkpoint = folder->load_latest();
      if (checkpoint) expect_same_meaning(*folder, *checkpoint, config, data.source);
    }
    for (const std::string& doubt : doubts(config.train)) warn(doubt);
    const std::string resolved = print_run_config(config);
    try {
      print_result({{"config", resolved}}, resolved);
    } catch (const std::system_error&) {  // a closed stdout is no reason to train nothing
    }
    if (dry_run) {
      plan_training(config, data, where);
      return;
    }
    if (!resumed) {
      folder = RunFolder::create(parent, config.output.name);
      folder->lock();
    }
    log_line(fmt::format("run folder {}", folder->path().string()));
    run_training(config, data, where, {*folder, resumed, std::move(checkpoint), command_line});
  }
};

std::string command_line(const CLI::App& app) {
  std::string line;
  for (const CLI::App* level = &app; level; level = level->get_parent())
    line = level->get_name() + (line.empty() ? "" : " ") + line;
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0)
      for (const std::string& value : option->results())
        line += fmt::format(" {} {}", option->get_name(),
                            value.find_first_of(" ?&*'\"") == std::string::npos ? value : "'" + value + "'");
  return line;
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("train", "train a model");
  auto command = std::make_shared<TrainCommand>();
  command->source.add_options(*sub);
  sub->add_option("--out", command->parent, "folder of the run folders")->capture_default_str();
  sub->add_option("--resume", command->resume, "go on with a run: its folder, or 'latest' for the newest under --out");
  sub->add_option("--device", command->device, "cpu, cuda or cuda:N; default: where the run to resume was, else cpu")
      ->check(device_name());
  sub->add_flag("--dry-run", command->dry_run, "print the config, memory, time and disk it would take; write nothing");
  command->options = std::make_unique<RunOptions>(*sub, command->config);
  sub->callback([command, sub] { command->run(command_line(*sub)); });
}

}  // namespace uvic
