// From images to the Gaussian of their features, and the notes that keep statistics of different networks apart.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "eval/features.h"
#include "eval/stats.h"

namespace uvic {

// Images [begin, end) as [end - begin, 3, H, W] uint8.
using ImagesAt = std::function<Tensor(int64_t begin, int64_t end)>;

// Features of images 0..count-1, a batch at a time, with progress on stderr; `task` says what is shown ("features of
// A"). Error below two images.
Gaussian gaussian_of(const FeatureNet& net, int64_t count, const ImagesAt& images, const std::string& task);

// What write_gaussian should keep beside the numbers: "features" and "weights" of the network.
std::map<std::string, std::string> notes_of(const FeatureNet& net);

// Error if the notes of the statistics in `file` name another network or other weights than `net`. Statistics
// without notes (pytorch-fid's) are taken on trust if the number of features fits.
void check_comparable(const std::string& file, const Gaussian& gaussian,
                      const std::map<std::string, std::string>& notes, const FeatureNet& net);

}  // namespace uvic
