// The pictures that a folder has already, found by what they say of how they were drawn.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "app/draw/recipe.h"

namespace uvic {

// Whether the file is there and carries the recipe under `key`; the name of the model and the version of the program
// may differ.
bool carries(const std::filesystem::path& png, const std::string& key, const Recipe& recipe);

class DrawnBefore {
 public:
  // Reads the text of every PNG in the folder, with progress; what is damaged or of another program does not count.
  // Interrupted after Ctrl-C.
  explicit DrawnBefore(const std::filesystem::path& folder);

  // A file that carries the recipe under `key`, each file once; the name of the model and the version of the program
  // may differ. Nothing if there is none (left).
  std::optional<std::filesystem::path> take(const std::string& key, const Recipe& recipe);

 private:
  std::filesystem::path folder_;
  std::multimap<std::string, std::string> names_;  // by a digest of key and recipe
};

}  // namespace uvic
