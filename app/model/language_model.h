// A trained language model with its tokenizer.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "app/cli/lm_config.h"
#include "lm/cogformer.h"
#include "lm/tokenizer.h"

namespace uvic {

// What the weights alone do not tell; kept in the metadata of every language model file we write.
struct LmCard {
  static constexpr const char* kConfigEntry = "uvic.lm_config";  // of the metadata

  LmRunConfig config;
  int64_t step = 0;
  Tokenizer tokenizer;
  std::string init_sha256 = {};  // of config.init.file; "": none

  std::map<std::string, std::string> to_metadata() const;
  // Error, naming `origin`, if there is no such card or it is damaged.
  static LmCard from_metadata(const std::map<std::string, std::string>& metadata, const std::string& origin);
};

struct LanguageModel {
  std::filesystem::path path;  // the file the weights came from
  LmCard card;
  Cogformer net;
  at::Device device = at::kCPU;
};

// Of a run folder, a checkpoint folder or a file; adapters are added to what they were trained on, which is where it
// was or at `base`. Error if it is no language model of ours, or the base is not there or another file.
LanguageModel load_language_model(const std::filesystem::path& path, at::Device device,
                                  const std::filesystem::path& base = {});

// Puts the weights of a model into a network, as far as `init.allow` goes (begin_with). A new feedback memory begins
// with the spread of the model's embeddings.
void begin_with(const Cogformer& network, const LanguageModel& model, const InitConfig& init);

}  // namespace uvic
