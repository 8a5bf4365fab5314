#include "app/training/run_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "app/world/child_process.h"
#include "core/progress.h"

namespace uvic {

RunPage::RunPage(const std::filesystem::path& run, int port)
    : child_(start({"/proc/self/exe",
                    {"uvic", "--quiet", "serve", run.string(), "--port", std::to_string(port)},
                    own_environment(),
                    SIGTERM,
                    [] {  // training's own output is for its results
                      ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
                    }})) {
  log_line(fmt::format("watch it at http://127.0.0.1:{}/#watch", port));
}

RunPage::~RunPage() {
  ::kill(child_, SIGTERM);
  ::waitpid(child_, nullptr, 0);
}

}  // namespace uvic
