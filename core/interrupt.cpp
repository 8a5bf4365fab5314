#include "core/interrupt.h"

#include <unistd.h>
#include <csignal>

namespace uvic {
namespace {

volatile std::sig_atomic_t signals_seen = 0;

void on_signal(int) {
  if (signals_seen > 0) _exit(kExitInterrupted);
  signals_seen = 1;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a write that is under way goes on
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup = {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void interrupt() {
  signals_seen = 1;
}

bool interrupted() {
  return signals_seen > 0;
}

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace uvic
