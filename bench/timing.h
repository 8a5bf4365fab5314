// Timing of functions that are compared: they take turns, so that what else the machine does meets all of them alike.
#pragma once

#include <functional>
#include <vector>

namespace uvic {

struct Timing {
  double min = 0, median = 0;  // seconds
};

// Each function once unmeasured, then all in turn, `rounds` times.
std::vector<Timing> time_in_turn(const std::vector<std::function<void()>>& functions, int64_t rounds);

// Forgets the peak of this process's memory so far; the peak since, in MiB. Linux; elsewhere the peak since the start.
void reset_peak_memory();
double peak_memory_mib();

}  // namespace uvic
