// What every command that trains takes: a folder, a run to go on with, a device.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "app/cli/config_source.h"
#include "app/training/training_run.h"
#include "app/world/shared_work.h"

namespace uvic {

struct RunArguments {
  std::string parent = "runs", resume, device;
  bool dry_run = false;
  std::optional<int> serve;  // port
  LocalRanks ranks;

  void add_options(CLI::App& app);
  // The first that a command does: starts the ranks (LocalRanks::launch), or gives the source's config to the options
  // and finds the run to resume. `name`: config.output.name, which that fills in, for --resume auto.
  std::optional<RunFolder> begin(ConfigSource& source, ConfigOptions& options, const std::string& name) const;
  at::Device where(const std::optional<RunFolder>& to_resume, const World& world) const;
  // Of the run to resume, locked from now on by rank 0 unless this is a dry run.
  std::optional<Checkpoint> checkpoint(const std::optional<RunFolder>& to_resume, const World& world) const;
  // In the folder to resume, or a new one of that name.
  Start start(const std::optional<RunFolder>& to_resume, const std::string& name, std::optional<Checkpoint> checkpoint,
              const std::string& command_line, const World& world) const;
};

// The ranks that this process trains with, as its environment says; alone where that says nothing. Error if a batch has
// fewer items than there are ranks.
World meet(const TrainConfig& config);
// Error if ranks do not train the same: their configs, or the data, whose first item is looked at only if there are
// several.
void expect_same_run(const World& world, const std::string& config, const std::string& data,
                     const std::function<Tensor()>& first_item);

// On stdout; that it is closed is no reason to train nothing.
void print_resolved(const std::string& config);

// As the user gave it, for command.txt.
std::string command_line(const CLI::App& app);

}  // namespace uvic
