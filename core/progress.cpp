#include "core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "core/interrupt.h"
#include "core/text.h"

namespace uvic {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kRedrawSeconds = 0.1;
constexpr double kJsonSeconds = 0.5;
constexpr double kLineSeconds = 5.0;
constexpr double kRateSeconds = 30.0;  // how far back the shown rate looks
constexpr const char* kClearLine = "\r\x1b[K";

struct Console {
  std::mutex mutex;
  Verbosity verbosity;
  ProgressSink sink;
  std::string rank;          // "rank 1 of 4: " where there are others
  bool is_spokesman = true;  // of all ranks
  std::string bar;           // what stands on the terminal's last line

  // One call a message, so that messages of several processes on one terminal do not mix.
  void write(const std::string& text) {
    const bool written =
        std::fwrite(text.data(), 1, text.size(), sink.file) == text.size() && std::fflush(sink.file) == 0;
    if (!written && errno == EPIPE) interrupt();  // whoever watched has gone
  }

  int columns() const {
    if (sink.columns > 0) return sink.columns;
    winsize size{};
    if (ioctl(fileno(sink.file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
  }

  void message(const char* key, const std::string& prefix, const std::string& text) {
    if (verbosity.json) {
      const nlohmann::json json{{key, one_line(text)}};
      return write(json.dump() + "\n");
    }
    const std::string line = prefix + one_line(text) + "\n";
    write(bar.empty() ? line : kClearLine + line + bar);
  }
};

Console& console() {
  static Console instance;
  return instance;
}

// In columns of a terminal.
int width(std::string_view text) {
  return static_cast<int>(count_characters(text));
}

std::string cut(std::string text, int columns) {
  if (width(text) <= columns) return text;
  size_t end = 0;
  for (int seen = 0; end < text.size(); ++end)
    if ((text[end] & 0xC0) != 0x80 && ++seen > columns) break;
  text.resize(end);
  return text;
}

std::string format_rate(double rate, const std::string& unit) {
  if (rate >= 100) return fmt::format("{:.0f} {}/s", rate, unit);
  if (rate >= 1) return fmt::format("{:.1f} {}/s", rate, unit);
  return fmt::format("{:.1f} s/{}", 1 / rate, unit);
}

}  // namespace

void set_verbosity(Verbosity verbosity) {
  std::lock_guard lock(console().mutex);
  console().verbosity = verbosity;
}

Verbosity verbosity() {
  std::lock_guard lock(console().mutex);
  return console().verbosity;
}

void speak_as_rank(int64_t rank, int64_t size) {
  std::lock_guard lock(console().mutex);
  console().rank = size > 1 ? fmt::format("rank {} of {}: ", rank, size) : "";
  console().is_spokesman = rank == 0;
}

bool stderr_is_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) && !(term != nullptr && std::string_view(term) == "dumb");
}

bool stderr_has_colour() {
  const char* no_color = std::getenv("NO_COLOR");
  return stderr_is_terminal() && (no_color == nullptr || *no_color == '\0');
}

void set_progress_sink(const ProgressSink& sink) {
  std::lock_guard lock(console().mutex);
  console().sink = sink;
  console().bar.clear();
}

void log_line(const std::string& text) {
  std::lock_guard lock(console().mutex);
  if (!console().verbosity.quiet && console().is_spokesman) console().message("message", "", text);
}

void warn(const std::string& text) {
  std::lock_guard lock(console().mutex);
  if (console().is_spokesman)
    console().message("warning", console().sink.colour ? "\x1b[33mwarning:\x1b[0m " : "warning: ", text);
}

void error_line(const std::string& text) {
  std::lock_guard lock(console().mutex);
  const std::string& rank = console().rank;
  console().message("error", "error: ", text.starts_with(rank) ? text : rank + text);  // ranks name themselves, too
}

void result_part(std::string_view text) {
  if (!console().is_spokesman) return;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) throw std::system_error(errno, std::generic_category(), "stdout");  // as fmt::print does
}

void result_line(const std::string& text) {
  std::lock_guard lock(console().mutex);
  Console& c = console();
  const bool above = !c.bar.empty() && isatty(STDOUT_FILENO);
  if (above) c.write(kClearLine);
  result_part(text + "\n");
  if (above) c.write(c.bar);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const auto s = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e15)));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string format_progress(const ProgressState& state, int columns, bool colour) {
  const bool known = state.total > 0;
  const double part = known ? std::clamp(static_cast<double>(state.done) / state.total, 0.0, 1.0) : 0;
  std::string head = visible(state.task);
  if (known) head += fmt::format(" {:3.0f}%", std::floor(100 * part));
  std::string tail = known ? fmt::format(" {}/{} {}", state.done, state.total, state.unit)
                           : fmt::format(" {} {}", state.done, state.unit);
  if (state.rate > 0) tail += "  " + format_rate(state.rate, state.unit);
  if (!state.note.empty()) tail += "  " + visible(state.note);
  if (known && state.done >= state.total) {
    tail += "  in " + format_duration(state.elapsed_seconds);
  } else if (state.eta_seconds >= 0) {
    tail += "  ETA " + format_duration(state.eta_seconds);
  }
  constexpr int kMinBar = 5, kMaxBar = 30, kFrame = 3;  // the frame: " [" and "]"
  const int room = std::min(columns - width(head) - width(tail) - kFrame, kMaxBar);
  if (columns == 0) return head + tail;
  if (!known || room < kMinBar) return cut(head + tail, columns);
  const int full = static_cast<int>(part * room);
  const std::string filled(full, '#'), empty(room - full, '-');
  return head +
         (colour ? fmt::format(" [\x1b[36m{}\x1b[0m{}]", filled, empty) : fmt::format(" [{}{}]", filled, empty)) + tail;
}

std::string format_progress_json(const ProgressState& state) {
  nlohmann::ordered_json json{{"task", state.task}, {"done", state.done}, {"total", nullptr},  {"unit", state.unit},
                              {"rate", nullptr},    {"eta_s", nullptr},   {"note", state.note}};
  if (state.total > 0) json["total"] = state.total;
  if (state.rate > 0) json["rate"] = state.rate;
  if (state.eta_seconds >= 0) json["eta_s"] = state.eta_seconds;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Progress::Progress(std::string task, int64_t total, std::string unit, int64_t start)
    : task_(std::move(task)),
      unit_(std::move(unit)),
      total_(total),
      done_(start),
      begin_(Clock::now()),
      updated_(begin_) {}

Progress::~Progress() {
  std::lock_guard lock(console().mutex);
  if (pending_) show(Clock::now());
  if (!drawn_) return;
  console().write("\n");
  console().bar.clear();
}

void Progress::update(int64_t done, const std::string& note) {
  std::lock_guard lock(console().mutex);
  const auto now = Clock::now();
  const double seconds = Seconds(now - updated_).count(), fade = std::exp(-seconds / kRateSeconds);
  recent_done_ = recent_done_ * fade + static_cast<double>(done - done_);
  recent_seconds_ = recent_seconds_ * fade + seconds;
  updated_ = now;
  done_ = done;
  note_ = note;
  pending_ = true;
  const Console& c = console();
  const double interval = c.verbosity.json ? kJsonSeconds : c.sink.terminal ? kRedrawSeconds : kLineSeconds;
  if (Seconds(now - std::max(shown_, begin_)).count() >= interval) show(now);
}

void Progress::show(Clock::time_point now) {
  Console& c = console();
  pending_ = false;
  shown_ = now;
  if (c.verbosity.quiet || !c.is_spokesman) return;
  ProgressState state{.task = task_, .unit = unit_, .note = note_, .done = done_, .total = total_};
  state.elapsed_seconds = Seconds(now - begin_).count();
  if (recent_done_ > 0 && recent_seconds_ > 0) {
    state.rate = recent_done_ / recent_seconds_;
    if (total_ > 0) state.eta_seconds = static_cast<double>(std::max<int64_t>(total_ - done_, 0)) / state.rate;
  }
  if (c.verbosity.json) {
    c.write(format_progress_json(state) + "\n");
  } else if (c.sink.terminal) {
    // A character in the last column makes some terminals wrap.
    c.bar = format_progress(state, c.columns() - 1, c.sink.colour);
    c.write(kClearLine + c.bar);
    drawn_ = true;
  } else {
    c.write(format_progress(state, 0, false) + "\n");
  }
}

}  // namespace uvic
