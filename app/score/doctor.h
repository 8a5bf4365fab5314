// What spoils a score without anybody noticing, looked for before the score is computed.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/score/side.h"

namespace uvic {

// What the pixels of one side say; empty for statistics, features and models.
struct Survey {
  int64_t images = 0, grey = 0;                          // that can be read; equal in all three channels
  int64_t damaged = 0;                                   // files
  std::map<std::string, int64_t> formats;                // files by what they are ("jpg"), whatever their names say
  std::map<std::pair<int64_t, int64_t>, int64_t> sizes;  // images by (height, width)
  std::unordered_map<std::string, int64_t> copies;       // images by a hash of their pixels
};

// Reads the first side.count images, with progress on stderr.
Survey survey(const Side& side, const std::string& task);

// One sentence for each thing found; none is good news.
std::vector<std::string> diagnose(const Side& a, const Survey& of_a, const Side& b, const Survey& of_b);

// "A: photos, 500 images of 32 x 32, png"
std::string summary(const char* name, const Side& side, const Survey& survey);

}  // namespace uvic
