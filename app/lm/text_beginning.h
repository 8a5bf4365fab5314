// What the run of a language model begins with beside its config: the weights and the tokenizer of another model.
#pragma once

#include <optional>
#include <string>

#include "app/cli/lm_options.h"
#include "app/model/language_model.h"
#include "train/run_folder.h"

namespace uvic {

struct TextBeginning {
  std::optional<LanguageModel> model;  // none: drawn weights, or those of a checkpoint that needs no other
  std::optional<Tokenizer> tokenizer;  // that the run keeps; none: it makes its own
  std::string sha256 = {};             // of config.init.file; "": none
};

// Opens config.init.file, whose whole path the config holds from then on; as open_beginning does for images. `card`: of
// the checkpoint to go on from, if there is one.
TextBeginning open_text_beginning(LmRunConfig& config, LmOptions& options, bool resumes,
                                  const std::optional<LmCard>& card);

}  // namespace uvic
