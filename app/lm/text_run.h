// The run that trains a language model.
#pragma once

#include "app/lm/trained_lm.h"
#include "app/training/training_run.h"
#include "lm/perplexity.h"

namespace uvic {

// Held-out documents, tokenised.
struct HeldOut {
  std::vector<std::vector<int32_t>> documents;
  int64_t bytes = 0;  // of their texts
};
HeldOut open_held_out(const std::string& spec, const Tokenizer& tokenizer);

// `init_sha256`: of what the network began with; `held_out`: of config.eval, if it scores.
void run_text_training(const LmRunConfig& config, const TextSource& source, TrainedLm& trained,
                       const std::string& init_sha256, const std::optional<HeldOut>& held_out, at::Device device,
                       Start start);

// What it would take, by a few steps; writes nothing.
void plan_text_training(const LmRunConfig& config, const TextSource& source, TrainedLm& trained, at::Device device);

}  // namespace uvic
