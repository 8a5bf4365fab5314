// uvic lm: language models
#include "app/lm/lm_commands.h"

namespace uvic {

void add_lm_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("lm", "train a language model, write with it, score it");
  sub->require_subcommand(1);
  add_lm_train(*sub);
  add_lm_generate(*sub);
  add_lm_score(*sub);
  add_lm_passkey(*sub);
  add_lm_diagnose(*sub);
  add_lm_masks(*sub);
}

}  // namespace uvic
