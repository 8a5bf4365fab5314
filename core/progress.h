// Progress of long work on stderr: a bar on a terminal, a line every few seconds elsewhere, JSON lines on request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace uvic {

enum class Verbosity { kNormal, kQuiet, kJson };

// Set once by main before any work.
void set_verbosity(Verbosity verbosity);
Verbosity verbosity();
bool stderr_is_terminal();  // a terminal whose TERM is not "dumb"; NO_COLOR only removes colour

// A message for the person who watches: on stderr, "quiet" drops it; clears the bar's line first.
void log_line(const std::string& text);
// A warning is not dropped by --quiet.
void warn(const std::string& text);

class Progress {
 public:
  // `unit` is what is counted ("step", "image"). total 0: unknown.
  Progress(std::string task, int64_t total, std::string unit, int64_t start = 0);
  ~Progress();  // ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` is shown behind the rate, e.g. "loss 0.0412".
  void update(int64_t done, const std::string& note = "");

 private:
  std::string task_, unit_;
  int64_t total_, start_, done_;
  std::chrono::steady_clock::time_point begin_, shown_;
  bool drawn_ = false;
};

// 3725 -> "1:02:05"
std::string format_duration(double seconds);

}  // namespace uvic
