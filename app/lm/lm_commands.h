// The commands under `uvic lm`.
#pragma once

#include <CLI/CLI.hpp>

namespace uvic {

void add_lm_train(CLI::App& lm);
void add_lm_generate(CLI::App& lm);
void add_lm_score(CLI::App& lm);
void add_lm_passkey(CLI::App& lm);
void add_lm_diagnose(CLI::App& lm);
void add_lm_masks(CLI::App& lm);

}  // namespace uvic
