#include "app/training/run_page.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/progress.h"

namespace uvic {

RunPage::RunPage(const std::filesystem::path& run, int port) {
  const std::string folder = run.string(), number = std::to_string(port);
  const char* const command[] = {"uvic", "--quiet", "serve", folder.c_str(), "--port", number.c_str(), nullptr};
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ < 0) fail("--serve: cannot start a process: {}", std::strerror(errno));
  if (child_ > 0) {
    log_line(fmt::format("watch it at http://127.0.0.1:{}/#watch", port));
    return;
  }
  ::setpgid(0, 0);  // Ctrl-C on the terminal is for training, which then ends this
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(0);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDOUT_FILENO);  // training's own is for its results
  ::execv("/proc/self/exe", const_cast<char* const*>(command));
  constexpr int kCannotRun = 126;
  ::_exit(kCannotRun);
}

RunPage::~RunPage() {
  ::kill(child_, SIGTERM);
  ::waitpid(child_, nullptr, 0);
}

}  // namespace uvic
