// The notes that keep statistics of different networks apart.
#pragma once

#include <map>
#include <string>

#include "eval/features.h"
#include "eval/stats.h"

namespace uvic {

// What is kept beside the numbers: "features", "weights" and, if there is a choice, "resize" of the network.
std::map<std::string, std::string> notes_of(const FeatureNet& net);

// Error if the notes of the statistics or features in `file` name another network, other weights or another resize mode
// than `net`. Statistics without notes (pytorch-fid's) are taken on trust if `dims`, their number of features, fits.
void check_comparable(const std::string& file, int64_t dims, const std::map<std::string, std::string>& notes,
                      const FeatureNet& net);

}  // namespace uvic
