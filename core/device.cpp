#include "core/device.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "core/error.h"

namespace uvic {

at::Device find_device(const std::string& text, int64_t gpus, bool built_with_cuda) {
  const at::Device device(text);
  if (device.is_cpu()) return device;
  const at::Device gpu(at::kCUDA, device.has_index() ? device.index() : at::DeviceIndex{0});
  if (gpu.index() < gpus) return gpu;
  if (!built_with_cuda)
    fail(
        "device '{}' is not available: uvic was built without CUDA (cmake --preset cuda builds it with); --device cpu "
        "needs none",
        text);
  if (gpus == 0)
    fail(
        "device '{}' is not available: no CUDA GPU or no driver for it was found (nvidia-smi lists what there is); "
        "--device cpu needs none",
        text);
  fail("device '{}' is not available: this machine has {}", text,
       gpus == 1 ? "one CUDA GPU, cuda:0" : fmt::format("{} CUDA GPUs, cuda:0 to cuda:{}", gpus, gpus - 1));
}

at::Device parse_device(const std::string& text) {
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  return find_device(text, static_cast<int64_t>(at::getNumGPUs()), at::Context::hasCUDART());
}

int64_t peak_memory(at::Device device) {
  if (!device.is_cpu()) {
    const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    return stats.reserved_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

int64_t free_memory() {
  int64_t bytes = std::numeric_limits<int64_t>::max();
  std::string name;
  std::ifstream meminfo("/proc/meminfo");
  for (int64_t kibibytes = 0; meminfo >> name >> kibibytes; meminfo.ignore(100, '\n'))
    if (name == "MemAvailable:") bytes = 1024 * kibibytes;
  // Version 2 of control groups: "0::/path", and "max" where there is no limit.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    const std::string folder = "/sys/fs/cgroup" + line.substr(3);
    int64_t most = 0, now = 0;
    if (std::ifstream(folder + "/memory.max") >> most && std::ifstream(folder + "/memory.current") >> now)
      bytes = std::min(bytes, std::max<int64_t>(0, most - now));
  }
  return bytes;
}

}  // namespace uvic
