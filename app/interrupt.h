// Ctrl-C and SIGTERM: the first asks the work to finish what it is at and save, the second quits at once.
#pragma once

namespace uvic {

void watch_interrupts();  // installs the handlers
bool interrupted();

constexpr int kExitInterrupted = 130;

}  // namespace uvic
