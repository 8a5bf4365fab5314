// What a run is trained with, as its folder tells it later.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace uvic {

// Version of uvic, processor, its instruction set, threads and cores of this process, ranks, device, and the step at
// which training begins or goes on. Of rank 0 where the ranks are several. The name of the machine is no part of it.
nlohmann::ordered_json machine_entry(int64_t first_step, at::Device device, int64_t ranks);

// The processor's name in the text of /proc/cpuinfo; empty if that does not say, as on most ARM systems.
std::string processor_name(const std::string& cpuinfo);

}  // namespace uvic
