// What a run begins with beside its config: the weights of a model, or its own.
#pragma once

#include <optional>
#include <string>

#include "app/cli/options.h"
#include "app/model/model_weights.h"
#include "train/run_folder.h"

namespace uvic {

// Error for adapters or allowances without an --init.
void expect_init(const InitConfig& init, const LoraConfig& lora);

// The config of a model that a run begins with: the model and how it was trained; what a run shows and keeps of itself
// is a new run's own.
template <class Options>
std::string inherited_config(typename Options::Config config) {
  config.init = {};
  config.lora = {};
  config.eval = {};
  config.output = {};
  return print_config<Options>(config);
}

struct Beginning {
  std::optional<ModelWeights> weights;  // none: drawn ones, or those of a checkpoint that needs no other
  std::optional<ModelCard> card;        // whose words and classes the run keeps; none: those of its data
  std::string sha256 = {};              // of config.init.file; "": none
};

// Opens config.init.file, whose whole path the config holds from then on. Of a new run its card's config comes below
// all that `options` were given; `to_resume` needs it again only for adapters or if there is no checkpoint yet, and it
// must be the same. Error for options that want an --init.
Beginning open_beginning(RunConfig& config, RunOptions& options, const std::optional<RunFolder>& to_resume,
                         const std::optional<Checkpoint>& checkpoint);

}  // namespace uvic
