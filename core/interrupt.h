// Ctrl-C and SIGTERM: the first asks the work to finish what it is at and save, the second quits at once.
#pragma once

namespace uvic {

void watch_interrupts();  // installs the handlers
bool interrupted();

// Ends work that has nothing to save; main turns it into the exit code. Not an Error: nobody made a mistake.
struct Interrupted {};
void stop_if_interrupted();  // throws Interrupted

constexpr int kExitInterrupted = 130;

}  // namespace uvic
