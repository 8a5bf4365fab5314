// uvic train
#include <memory>
#include <nlohmann/json.hpp>

#include "app/checks.h"
#include "app/commands.h"
#include "app/config_source.h"
#include "app/json_lines.h"
#include "app/model.h"
#include "app/training_run.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

// Where a run was trained last. No part of its config, since it can go on anywhere.
constexpr const char* kDeviceFile = "device.txt";

at::Device device_of(const RunFolder& run) {
  const fs::path file = run.path() / kDeviceFile;
  if (!fs::exists(file)) return parse_device("cpu");
  std::string name = read_file(file, "device of the run");
  if (name.ends_with('\n')) name.pop_back();
  if (const std::string wrong = device_name()(name); !wrong.empty()) fail("{}: {}", file.string(), wrong);
  try {
    return parse_device(name);
  } catch (const Error& error) {
    fail("{}. The run was trained on {}: go on with it elsewhere with --device cpu or cuda:N", error.what(), name);
  }
}

struct TrainCommand {
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  std::string parent = "runs", resume, device;
  bool dry_run = false;

  int run(const std::string& command_line) {
    std::optional<RunFolder> folder;
    if (!resume.empty()) folder = resume == "latest" ? RunFolder::open_latest(parent) : RunFolder::open(resume);
    if (!folder && source.empty())
      fail("nothing to train: give --preset NAME or --config FILE (`uvic train --help` lists them)");
    const at::Device where =
        folder && device.empty() ? device_of(*folder) : parse_device(device.empty() ? "cpu" : device);
    source.apply(*options);
    if (folder) options->apply_toml(read_file(folder->path() / "config.toml", "run config"), folder->path().string());

    const TrainingData data = open_training_data(config);
    stop_if_interrupted();  // nothing is written yet
    const std::string resolved = print_run_config(config);
    if (as_json())
      print_json({{"config", resolved}});
    else
      fmt::print("{}\n", resolved);
    std::fflush(stdout);
    if (dry_run) {
      plan_training(config, data, where);
      return 0;
    }
    if (!folder) folder = RunFolder::create(parent, config.output.name);
    folder->lock();
    expect_same_text(*folder, config, data);
    folder->write_text("config.toml", resolved);
    folder->write_text(kDeviceFile, where.str() + "\n");
    folder->append_text("command.txt", command_line + "\n");
    log_line(fmt::format("run folder {}", folder->path().string()));
    return run_training(config, data, where, *folder);
  }
};

std::string command_line(const CLI::App& app) {
  std::string line;
  for (const CLI::App* level = &app; level; level = level->get_parent())
    line = level->get_name() + (line.empty() ? "" : " ") + line;
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0)
      for (const std::string& value : option->results())
        line += fmt::format(" {} {}", option->get_name(), value.find_first_of(" ?&*'\"") == std::string::npos ? value : "'" + value + "'");
  return line;
}

}  // namespace

void add_train_command(CLI::App& app, ExitCode& exit_code) {
  CLI::App* sub = app.add_subcommand("train", "train a model");
  auto command = std::make_shared<TrainCommand>();
  command->source.add_options(*sub);
  sub->add_option("--out", command->parent, "folder of the run folders")->capture_default_str();
  sub->add_option("--resume", command->resume, "go on with a run: its folder, or 'latest' for the newest under --out");
  sub->add_option("--device", command->device, "cpu, cuda or cuda:N; default: where the run to resume was, else cpu")
      ->check(device_name());
  sub->add_flag("--dry-run", command->dry_run, "print the config, memory, time and disk it would take; write nothing");
  command->options = std::make_unique<RunOptions>(*sub, command->config);
  sub->callback([command, sub, &exit_code] { exit_code = command->run(command_line(*sub)); });
}

}  // namespace uvic
