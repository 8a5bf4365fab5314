// Options of a run, declared once: flag, TOML key, help, default and printing come from the same line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/run_config.h"

namespace uvic {

class RunOptions {
 public:
  enum Scope {
    kAll,
    kModelOnly
  };  // kModelOnly: only flags of the model are shown; keys of every section are still read

  // Declares --section.key for every field of `config` on `app`. Both must outlive this object.
  RunOptions(CLI::App& app, RunConfig& config, Scope scope = kAll);

  // Gives the keys of a TOML text ([section] key = value) to the options that were not set before, so the first text
  // wins over later ones and flags win over all. Error for unknown keys and bad values, naming `origin` ("preset
  // shapes").
  void apply_toml(const std::string& text, const std::string& origin);

  std::string to_toml() const;  // the resolved config; apply_toml(to_toml()) gives the same one
  std::vector<std::string> missing_keys(const std::string& text, const std::string& origin) const;  // "section.key"

  struct Change {
    std::string key, before, after;
  };
  // The first key that gives trained weights (or the optimizer's state) another meaning and differs; both declare the
  // same options.
  static std::optional<Change> change_of_meaning(const RunOptions& before, const RunOptions& after);

 private:
  struct Option {
    CLI::Option* option;
    std::string section, key;
    std::function<std::string()> print;
  };
  std::string unknown_key(const std::string& section, const std::string& key) const;
  template <class T>
  CLI::Option* add(const std::string& name, T& value, const std::string& help);
  void add_model(UVitConfig& config);
  void add_diffusion(ScheduleConfig& schedule, ObjectiveConfig& objective);
  void add_data(DataConfig& config);
  void add_train(TrainConfig& config);
  void add_sample(SampleConfig& config);
  void add_eval(EvalConfig& config);
  void add_output(OutputConfig& config);

  CLI::App* app_;
  CLI::App hidden_;  // holds the options that `app` does not show
  std::vector<Option> options_;
};

// A resolved config from its text.
RunConfig parse_run_config(const std::string& toml, const std::string& origin);
std::string print_run_config(const RunConfig& config);
std::optional<RunOptions::Change> change_of_meaning(const RunConfig& before, const RunConfig& after);

}  // namespace uvic
