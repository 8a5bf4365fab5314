// A model as an argument of a command, with the flags that it takes to load one.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/config_source.h"
#include "app/cli/options.h"
#include "app/model/model.h"

namespace uvic {

class ModelArgument {
 public:
  EncoderFiles encoders;

  // Adapters, the encoders' files, --preset, --config and --model.* for weights that carry no config, and --device if
  // there is help for it. This object must outlive `app`.
  void add_options(CLI::App& app, const std::string& device_help = {});
  std::vector<const CLI::Option*> options() const { return options_; }
  bool has_adapters() const { return !adapters_.empty(); }

  // The model in `path` (find_model_file), with its adapters and encoders, on the device.
  Model load(const std::filesystem::path& path) const;

 private:
  std::string device_ = "cpu", base_;
  std::vector<std::string> adapters_;
  RunConfig config_;
  ConfigSource source_;
  std::unique_ptr<RunOptions> run_options_;
  std::vector<const CLI::Option*> options_;
};

}  // namespace uvic
