// Options of a run that trains an image model.
#pragma once

#include "app/cli/config_options.h"
#include "app/cli/run_config.h"

namespace uvic {

class RunOptions : public ConfigOptions {
 public:
  using Config = RunConfig;
  enum Scope {
    kAll,
    kModelOnly
  };  // kModelOnly: only flags of the model are shown; keys of every section are still read

  // Declares --section.key for every field of `config` on `app`. Both must outlive this object.
  RunOptions(CLI::App& app, RunConfig& config, Scope scope = kAll);

 private:
  void add_model(UVitConfig& config);
  void add_diffusion(ScheduleConfig& schedule, ObjectiveConfig& objective);
  void add_data(DataConfig& config);
  void add_sample(SampleConfig& config);
  void add_eval(EvalConfig& config);
  void add_output(OutputConfig& config);
};

}  // namespace uvic
