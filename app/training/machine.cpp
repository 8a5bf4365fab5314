#include "app/training/machine.h"

#include <ATen/Parallel.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "core/text.h"
#include "transformer/kernels/isa.h"

namespace uvic {

std::string processor_name(const std::string& cpuinfo) {
  std::istringstream lines(cpuinfo);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return valid_utf8(line.substr(colon + 2));
  }
  return "";
}

nlohmann::ordered_json machine_entry(int64_t first_step, at::Device device, int64_t ranks) {
  std::ifstream file("/proc/cpuinfo");
  const std::string cpuinfo{std::istreambuf_iterator<char>(file), {}};
  return {{"step", first_step},
          {"uvic_version", UVIC_VERSION},
          {"processor", processor_name(cpuinfo)},
          {"instruction_set", default_kernel_isa().name},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()},
          {"ranks", ranks},
          {"device", device.str()}};
}

}  // namespace uvic
