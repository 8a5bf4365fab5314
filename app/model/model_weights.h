// The weights behind a path, whole: those of adapters joined with what they were trained on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/model/model.h"

namespace uvic {

constexpr size_t kShortHash = 10;  // digits of a SHA-256 that tell files apart for people

struct ModelWeights {
  std::filesystem::path file;
  std::string sha256;  // of the file
  TensorMap tensors;
  std::optional<ModelCard> card;  // none: the file carries none
  bool adapted = false;           // the file held adapters
};

// Of what find_model_file finds. A run of adapters names its base, which is opened only if it has the SHA-256 that the
// run began with; `base`: where it is now, "" where it was. Error naming the base and what to give if it is not there,
// and for a base that is given to no adapters.
ModelWeights read_model_weights(const std::filesystem::path& path, const std::filesystem::path& base = {});

// Error unless `base` is a file and has this SHA-256. `adapters` need it, `flag` is the option that says where it is.
void expect_base(const std::filesystem::path& base, const std::string& sha256, const std::string& adapters,
                 const char* flag);

// Takes the table of classes out of the weights if theirs are others than `classes` ({}: none). Error unless `init`
// allows both that and a new one.
void expect_classes(ModelWeights& weights, const std::vector<std::string>& classes, const InitConfig& init);

// Puts the weights of a file into a network: all of them, or as far as `init.allow` goes, and says what was left as
// drawn or left out. Error listing the names otherwise.
void begin_with(const Parameters& network, const TensorMap& tensors, const InitConfig& init, const std::string& origin);

}  // namespace uvic
