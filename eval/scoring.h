// The notes that keep statistics of different networks apart.
#pragma once

#include <map>
#include <string>

#include "eval/features.h"
#include "eval/stats.h"

namespace uvic {

// What write_gaussian should keep beside the numbers: "features" and "weights" of the network.
std::map<std::string, std::string> notes_of(const FeatureNet& net);

// Error if the notes of the statistics in `file` name another network or other weights than `net`. Statistics
// without notes (pytorch-fid's) are taken on trust if the number of features fits.
void check_comparable(const std::string& file, const Gaussian& gaussian,
                      const std::map<std::string, std::string>& notes, const FeatureNet& net);

}  // namespace uvic
