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

// Of a run folder, a checkpoint folder or a file. Error if it is no language model of ours.
LanguageModel load_language_model(const std::filesystem::path& path, at::Device device);

}  // namespace uvic
