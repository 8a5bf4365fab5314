// What a run writes into its folder, and when.
#pragma once

#include <cstdint>
#include <string>

namespace uvic {

struct RecordConfig {
  std::string name;        // of the run folder; "": made of data, model kind and size
  int64_t log_every = 50;  // steps
  int64_t save_every = 1000;
  int keep_last = 2;
  int64_t sample_every = 1000;  // 0: no samples
};

}  // namespace uvic
