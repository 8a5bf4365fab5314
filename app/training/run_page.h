// The page of a run that is being trained.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace uvic {

// `uvic serve RUN` in a process of its own, which takes no time from training unless somebody draws, and ends with this
// object or this process, however it ends. That the port is in use is said by it alone: training goes on.
class RunPage {
 public:
  RunPage(const std::filesystem::path& run, int port);
  ~RunPage();
  RunPage(const RunPage&) = delete;
  RunPage& operator=(const RunPage&) = delete;

 private:
  pid_t child_;
};

}  // namespace uvic
