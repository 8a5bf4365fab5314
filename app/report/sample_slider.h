// The samples of a run in time, to be gone through without script.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/inspect/run_record.h"

namespace uvic {

constexpr size_t kMostSamples = 12;           // of a run
constexpr int64_t kWidestSample = 800;        // pixels; wider pictures are made smaller
constexpr size_t kLongestSample = 16 * 1024;  // characters of a text

// `count` numbers below `all`, evenly spaced, with the first and the last; all if they are fewer.
std::vector<size_t> evenly_spaced(size_t all, size_t count);

// A button for each step and the pictures, or texts, in the page itself; `number` tells the runs of a page apart. What
// is left out is said below. Damaged pictures are left out with a warning; empty without samples.
std::string sample_slider(const std::string& name, const std::vector<SampleFile>& samples, size_t number);

std::string slider_style();  // CSS

}  // namespace uvic
