// Progress of long work on stderr: a bar on a terminal, a line every few seconds elsewhere, JSON lines on request.
// Every function here may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace uvic {

// The two may come together: results as JSON, and nothing on stderr beside them but warnings.
struct Verbosity {
  bool quiet = false;  // no progress and no messages
  bool json = false;   // results, progress and messages as JSON lines
};

// Set once by main before any work.
void set_verbosity(Verbosity verbosity);
Verbosity verbosity();
// Of processes that work together, rank 0 alone shows messages, warnings, progress and results. Errors of all are seen,
// and begin with "rank 1 of 4: ".
void speak_as_rank(int64_t rank, int64_t size);
bool stderr_is_terminal();  // a terminal whose TERM is not "dumb"
bool stderr_has_colour();   // such a terminal, and NO_COLOR is not set

// A message for the person who watches: on stderr, "quiet" drops it; clears the bar's line first. Whatever the text, it
// is one line of at most 1,000 characters that a terminal does not obey.
void log_line(const std::string& text);
// A warning is not dropped by --quiet.
void warn(const std::string& text);
// What the program ends with.
void error_line(const std::string& text);

// A result, on stdout at once, above the bar if both are on a terminal. std::system_error if it cannot be written.
void result_line(const std::string& text);
// A part of a line that grows, as it is; no bar may be shown meanwhile.
void result_part(std::string_view text);

class Progress {
 public:
  // `unit` is what is counted ("step", "image"). total 0: unknown. `start` is what was done before (a resumed run).
  Progress(std::string task, int64_t total, std::string unit, int64_t start = 0);
  ~Progress();  // shows the last state and ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` is shown behind the rate, e.g. "loss 0.0412".
  void update(int64_t done, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  void show(Clock::time_point now);

  std::string task_, unit_, note_;
  int64_t total_, done_;
  Clock::time_point begin_, updated_, shown_;
  double recent_done_ = 0,
         recent_seconds_ = 0;  // both fade with time: their quotient is the rate of the last half minute
  bool drawn_ = false, pending_ = false;
};

// What one line of progress says. Rate in units per second; 0, and a negative eta, mean unknown.
struct ProgressState {
  std::string task, unit, note;
  int64_t done = 0, total = 0;
  double rate = 0, eta_seconds = -1, elapsed_seconds = 0;
};
// At most `columns` characters; the bar shrinks and then goes, and at last the text is cut. 0 columns: no bar, no
// limit. `colour` adds escape codes.
std::string format_progress(const ProgressState& state, int columns, bool colour);
std::string format_progress_json(const ProgressState& state);

// 3725 -> "1:02:05"
std::string format_duration(double seconds);

// Where all of this is written; by default stderr as it is found. Tests put a file in its place.
struct ProgressSink {
  std::FILE* file = stderr;
  bool terminal = stderr_is_terminal();
  bool colour = stderr_has_colour();
  int columns = 0;  // 0: ask the terminal
};
void set_progress_sink(const ProgressSink& sink);

}  // namespace uvic
