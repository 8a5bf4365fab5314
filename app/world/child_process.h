// Processes that this one starts.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace uvic {

struct ChildProcess {
  std::string program;
  std::vector<std::string> command;      // the first word is what it is called
  std::vector<std::string> environment;  // "NAME=VALUE"
  int death_signal;                      // that it gets when this process ends, however it ends
  // In the child, before the program begins: what may be done there (signal-safety(7)).
  std::function<void()> prepare;
};

// In a group of its own, so that Ctrl-C on the terminal reaches it through this process alone. Error if there can be no
// more processes; one whose program cannot be run exits with 126.
pid_t start(ChildProcess child);

std::vector<std::string> own_environment();

}  // namespace uvic
