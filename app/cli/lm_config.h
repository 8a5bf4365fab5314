// Everything that defines the training of a language model. Printed, saved in the run folder and inside every
// checkpoint.
#pragma once

#include <string>

#include "app/cli/init_config.h"
#include "app/cli/record_config.h"
#include "lm/config.h"
#include "train/train.h"
#include "transformer/lora.h"

namespace uvic {

struct TextDataConfig {
  std::string spec;          // a row of text_sources()
  std::string tokenizer;     // a tokenizer.model; "": one is learnt from the text
  int64_t length = 256;      // tokens of a row
  bool documents = true;     // a token sees its own document alone; else rows are one text
  double state_passing = 0;  // share of micro-batches whose feedback memory begins as the last one's ended
};

struct TextEvalConfig {
  int64_t every = 0;    // steps; 0: never
  std::string against;  // held-out text
};

struct LmRunConfig {
  LmConfig lm;
  TextDataConfig data;
  InitConfig init;
  LoraConfig lora;
  TrainConfig train;
  TextEvalConfig eval;
  RecordConfig output;
};

}  // namespace uvic
