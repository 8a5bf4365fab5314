// Where this process stands among those that train one model together, as whoever started them says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace uvic {

// The program itself: version, LibTorch, and the number that the linker gave it.
std::string this_build();

struct Place {
  int64_t rank = 0, size = 1;
  int64_t local_rank = 0;            // among the processes of this machine
  std::string launcher = {};         // "torchrun"; empty: started alone
  std::string host = {};             // of the meeting
  uint16_t port = 0;                 // there
  bool launcher_has_store = false;   // else the meeting is at rank 0
  int64_t restarts = 0;              // how often the launcher started all of them anew
  std::string build = this_build();  // all must be of one

  std::string name() const;      // "rank 1 of 4"
  std::string describe() const;  // "rank 1 of 4 (torchrun), meeting at node7:29500"
};

using GetVariable = std::function<std::optional<std::string>(const char* name)>;

// From the variables of torchrun (or a Kubernetes training operator), Open MPI or Slurm, in this order; without any, a
// world of one. Error naming the variable if some are missing or contradict each other.
Place find_place(const GetVariable& variable);
Place find_place();  // of this process's environment

// "n01" of "n[01-03,7],m2". Error if it is no list of hosts.
std::string first_slurm_host(std::string_view list);

}  // namespace uvic
