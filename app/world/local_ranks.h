// `--ranks N`: a command as N processes of this machine.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace uvic {

// Exit codes of the program, by which its launcher tells failures apart; a signal's number is added to the last.
constexpr int kExitError = 1, kExitUsage = 2, kExitSignal = 128;

constexpr const char* kLocalLauncher = "--ranks";  // Place::launcher of the ranks that are started here

// Ends the program with that exit code, once there is nothing left to say.
struct RanksEnded {
  int exit_code;
};

struct LocalRanks {
  int64_t ranks = 1, restarts = 0;

  void add_options(CLI::App& app);  // both
  void add_ranks(CLI::App& app);
  // To be called before anything else is done. If more than one process is asked for, runs this command line in each of
  // them and throws RanksEnded. Error if this process is a rank already.
  void launch() const;
};

// Runs a command as so many ranks, which find their places in torchrun's variables and meet at a store of this process.
// SIGINT, SIGTERM and SIGHUP are passed on to all. When one fails the others are told to end, and made to after
// `grace`; all are started anew up to `restarts` times, unless a signal or a wrong usage was the reason. None outlives
// this process. The exit code of the first that failed, or 0.
struct RanksConfig {
  int64_t ranks, restarts = 0;
  std::chrono::seconds grace{20};  // to write a checkpoint
};
int run_local_ranks(const std::string& program, const std::vector<std::string>& command, const RanksConfig& config);

// Without the options of LocalRanks.
std::vector<std::string> without_ranks(const std::vector<std::string>& command);

}  // namespace uvic
