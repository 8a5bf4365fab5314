#include "app/world/child_process.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "app/world/local_ranks.h"
#include "core/error.h"

namespace uvic {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

pid_t start(ChildProcess child) {
  const std::vector<char*> arguments = pointers(child.command), variables = pointers(child.environment);
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid < 0) fail("cannot start a process: {}", std::strerror(errno));
  if (pid > 0) return pid;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, child.death_signal);
  if (::getppid() != parent) ::_exit(kExitSignal + child.death_signal);
  child.prepare();
  ::execve(child.program.c_str(), arguments.data(), variables.data());
  constexpr int kCannotRun = 126;
  ::_exit(kCannotRun);
}

std::vector<std::string> own_environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) all.emplace_back(*entry);
  return all;
}

}  // namespace uvic
