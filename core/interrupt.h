// Ctrl-C, SIGTERM, a hang-up and a closed stderr: the first asks the work to finish what it is at and save, the second
// quits at once.
#pragma once

namespace uvic {

// Installs the handlers. A hang-up that is ignored already (nohup) stays so. Writes to a closed pipe and beyond a limit
// on file sizes no longer end the process: they fail, with an error.
void watch_interrupts();
bool interrupted();
void interrupt();  // as the first signal does

// Ends the work, thrown where the flag is seen. Who has something to save catches it, saves, and throws it again; main
// turns it into the exit code. Not an Error: nobody made a mistake.
struct Interrupted {};
void stop_if_interrupted();  // throws Interrupted

constexpr int kExitInterrupted = 130;

}  // namespace uvic
