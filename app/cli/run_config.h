// Everything that defines a training run. Printed, saved in the run folder and inside every checkpoint.
#pragma once

#include <string>

#include "app/cli/init_config.h"
#include "app/cli/record_config.h"
#include "app/cli/sample_config.h"
#include "diffusion/objective.h"
#include "diffusion/schedule.h"
#include "train/train.h"
#include "transformer/lora.h"
#include "unet_vit/config.h"

namespace uvic {

struct DataConfig {
  std::string spec = "shapes";
  std::string condition = "none";  // none | class | text
  double drop_condition = 0.1;
  bool flip = false;
  int64_t max_vocabulary = 4096;
  std::string text_encoder = {};  // folder of a frozen one that reads captions of pictures; "": learned words
  double latent_scale = 0;        // > 0: x is an autoencoder's latents times this; 0: pixels
};

struct OutputConfig : RecordConfig {
  int64_t grid = 6;         // rows and columns of the sample grid
  std::string autoencoder;  // makes pictures of latents for the grid; "": no grids of latents
  std::string prompts;      // file of the grid's prompts, one a line; "": captions of the data
  std::string text;         // folder of the text encoder that reads them for a model of text states
};

struct EvalConfig {
  int64_t every = 0;  // steps; 0: never
  int64_t num = 1000;
  std::string features;  // "": default_feature_net()
  std::string against;   // data SPEC; "": the training data
};

struct RunConfig {
  UVitConfig model;
  ScheduleConfig schedule;
  ObjectiveConfig objective;
  DataConfig data;
  InitConfig init;
  LoraConfig lora;
  TrainConfig train;
  SampleConfig sample;
  EvalConfig eval;
  OutputConfig output;
};

}  // namespace uvic
