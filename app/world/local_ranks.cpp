#include "app/world/local_ranks.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include "app/cli/checks.h"
#include "app/world/child_process.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "train/c10d.h"
#include "train/place.h"

namespace uvic {
namespace {

// Signals wait until they are asked for; threads that begin meanwhile leave them alone.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&held_, signal);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  const sigset_t& before() const { return before_; }
  // 0: none came for a moment.
  int next() const {
    const timespec moment{.tv_sec = 0, .tv_nsec = 100'000'000};
    return std::max(0, sigtimedwait(&held_, nullptr, &moment));
  }

 private:
  sigset_t held_, before_;
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all = own_environment();
  std::erase_if(all, [&](const std::string& text) { return added.contains(text.substr(0, text.find('='))); });
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

struct Failure {
  int64_t rank;
  int exit_code;
  std::string how;
};

std::optional<Failure> failure_of(int64_t rank, int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return Failure{rank, kExitSignal + signal, fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal))};
  }
  const int code = WEXITSTATUS(status);
  if (code == 0) return std::nullopt;
  return Failure{rank, code, fmt::format("ended with exit code {}", code)};
}

// All ranks from start to end.
class Ranks {
 public:
  explicit Ranks(const HeldSignals& signals) : signals_(signals) {}

  void add(pid_t pid, int64_t rank) { running_[pid] = rank; }

  // The first that failed. `interrupted` becomes true when this process was asked to end.
  std::optional<Failure> wait(std::chrono::seconds grace, bool& interrupted) {
    std::optional<Failure> first;
    std::optional<Clock::time_point> last_moment;
    while (!running_.empty()) {
      if (const int signal = signals_.next(); signal != 0 && signal != SIGCHLD) {
        interrupted = true;
        send(signal);
      }
      int status = 0;
      for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto child = running_.find(pid);
        if (child == running_.end()) continue;
        const auto failure = failure_of(child->second, status);
        running_.erase(child);
        if (!failure || first) continue;
        first = failure;
        if (interrupted) continue;
        send(SIGTERM);
        last_moment = Clock::now() + grace;
      }
      if (last_moment && Clock::now() > *last_moment) send(SIGKILL);
    }
    return first;
  }

 private:
  void send(int signal) const {
    for (const auto& [pid, rank] : running_) ::kill(pid, signal);
  }

  const HeldSignals& signals_;
  std::map<pid_t, int64_t> running_;
};

bool has_option(const std::vector<std::string>& command, const std::string& name) {
  return std::any_of(command.begin(), command.end(),
                     [&](const auto& word) { return word == name || word.starts_with(name + "="); });
}

std::vector<std::string> own_command() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> command;
  for (std::string word; std::getline(file, word, '\0');) command.push_back(word);
  if (command.empty()) fail("/proc/self/cmdline, which --ranks starts the ranks with, cannot be read: mount /proc");
  return command;
}

}  // namespace

std::vector<std::string> without_ranks(const std::vector<std::string>& command) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < command.size(); ++i) {
    const std::string& word = command[i];
    if (word == "--ranks" || word == "--restarts") {
      ++i;  // its value
    } else if (!word.starts_with("--ranks=") && !word.starts_with("--restarts=")) {
      kept.push_back(word);
    }
  }
  return kept;
}

int run_local_ranks(const std::string& program, const std::vector<std::string>& command, const RanksConfig& config) {
  const HeldSignals signals;
  const RankStore store = RankStore::serve(0, true);
  const std::string size = std::to_string(config.ranks);
  std::map<std::string, std::string> variables{{"UVIC_LAUNCHER", kLocalLauncher},
                                               {"WORLD_SIZE", size},
                                               {"LOCAL_WORLD_SIZE", size},
                                               {"MASTER_ADDR", "127.0.0.1"},
                                               {"MASTER_PORT", std::to_string(store.port())},
                                               {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
  if (!has_option(command, "--threads") && !std::getenv("OMP_NUM_THREADS"))
    variables["OMP_NUM_THREADS"] =
        std::to_string(std::max<int64_t>(1, std::thread::hardware_concurrency() / config.ranks));
  for (int64_t restart = 0;; ++restart) {
    variables["TORCHELASTIC_RESTART_COUNT"] = std::to_string(restart);
    Ranks ranks(signals);
    for (int64_t rank = 0; rank < config.ranks; ++rank) {
      variables["RANK"] = variables["LOCAL_RANK"] = std::to_string(rank);
      // A second signal, from the terminal, would stop it before it has saved.
      ranks.add(start({program, command, environment_with(variables), SIGKILL,
                       [&] { pthread_sigmask(SIG_SETMASK, &signals.before(), nullptr); }}),
                rank);
    }
    bool interrupted = false;
    const auto failure = ranks.wait(config.grace, interrupted);
    if (!failure) return 0;
    const bool is_final = interrupted || failure->exit_code == kExitUsage || failure->exit_code == kExitInterrupted;
    if (!is_final && restart < config.restarts) {
      log_line(fmt::format("rank {} of {} {}: all ranks start again (restart {} of {})", failure->rank, size,
                           failure->how, restart + 1, config.restarts));
      continue;
    }
    if (failure->exit_code > kExitSignal && failure->exit_code != kExitInterrupted)  // it could not say so itself
      error_line(fmt::format("rank {} of {} {}", failure->rank, size, failure->how));
    return failure->exit_code;
  }
}

void LocalRanks::add_ranks(CLI::App& app) {
  app.add_option("--ranks", ranks, "processes of this machine that share the work")->check(at_least(1));
}

void LocalRanks::add_options(CLI::App& app) {
  add_ranks(app);
  app.add_option("--restarts", restarts, "how often all of them start again after one has failed")->check(at_least(0));
}

void LocalRanks::launch() const {
  if (ranks == 1 && restarts == 0) return;
  if (const Place place = find_place(); !place.launcher.empty())
    fail("--ranks and --restarts start the ranks themselves, but this process is {} already: leave them out",
         place.describe());
  throw RanksEnded{run_local_ranks("/proc/self/exe", without_ranks(own_command()), {ranks, restarts})};
}

}  // namespace uvic
