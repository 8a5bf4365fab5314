#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

namespace uvic {

std::vector<Timing> time_in_turn(const std::vector<std::function<void()>>& functions, int64_t rounds) {
  std::vector<std::vector<double>> seconds(functions.size());
  for (const auto& function : functions) function();
  for (int64_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < functions.size(); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      functions[i]();
      seconds[i].push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  std::vector<Timing> timings;
  for (auto& each : seconds) {
    std::ranges::sort(each);
    timings.push_back({each.front(), each[each.size() / 2]});
  }
  return timings;
}

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmHWM:" && status >> kib) return kib / 1024;
  return 0;
}

}  // namespace uvic
