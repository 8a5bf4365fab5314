#include "core/progress.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace uvic::progress_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kClear = "\r\x1b[K";

// Catches what is shown while it lives.
class Caught {
 public:
  Caught(Verbosity verbosity, bool terminal, int columns = 100) : file_(open_memstream(&text_, &size_)) {
    set_verbosity(verbosity);
    set_progress_sink({.file = file_, .terminal = terminal, .colour = false, .columns = columns});
  }
  ~Caught() {
    set_verbosity({});
    set_progress_sink({});
    std::fclose(file_);
    std::free(text_);
  }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }
  std::vector<std::string> lines() {
    std::vector<std::string> found;
    std::istringstream in(text());
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

int characters(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST(FormatDuration, HoursOnlyWhenNeeded) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.4), "0:59");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(3725), "1:02:05");
  EXPECT_EQ(format_duration(360000), "100:00:00");
  EXPECT_EQ(format_duration(-5), "0:00");
  EXPECT_EQ(format_duration(1.0 / 0.0), "?");
}

const ProgressState kHalf{.task = "train",
                          .unit = "step",
                          .note = "loss 0.0412",
                          .done = 50,
                          .total = 100,
                          .rate = 2,
                          .eta_seconds = 25,
                          .elapsed_seconds = 25};

TEST(FormatProgress, SaysEverything) {
  EXPECT_EQ(format_progress(kHalf, 0, false), "train  50% 50/100 step  2.0 step/s  loss 0.0412  ETA 0:25");
  const std::string line = format_progress(kHalf, 200, false);
  EXPECT_NE(line.find(" [" + std::string(15, '#') + std::string(15, '-') + "] "), std::string::npos) << line;
}

TEST(FormatProgress, SlowFastUnknownAndFinished) {
  ProgressState state = kHalf;
  state.rate = 0.25;
  EXPECT_NE(format_progress(state, 0, false).find("4.0 s/step"), std::string::npos);
  state.rate = 1234.5;
  EXPECT_NE(format_progress(state, 0, false).find("1234 step/s"), std::string::npos);
  state.done = 100;
  EXPECT_EQ(format_progress(state, 0, false), "train 100% 100/100 step  1234 step/s  loss 0.0412  in 0:25");
  EXPECT_EQ(format_progress({.task = "read", .unit = "image", .note = "", .done = 7}, 80, false), "read 7 image");
  // 99.9 % is not yet 100 %.
  EXPECT_NE(format_progress({.task = "a", .unit = "b", .note = "", .done = 999, .total = 1000}, 0, false).find(" 99%"),
            std::string::npos);
}

TEST(FormatProgress, FitsAnyWidth) {
  ProgressState state = kHalf;
  state.note = "Stra\u00dfe \u2192 \u6f22\u5b57";
  for (int columns = 1; columns < 150; ++columns) {
    const std::string line = format_progress(state, columns, false);
    EXPECT_LE(characters(line), columns) << line;
    EXPECT_NO_THROW(json(line).dump()) << "cut inside a character at " << columns;
  }
  EXPECT_EQ(count(format_progress(state, 60, false), "["), 0U);  // too narrow for a bar
}

TEST(FormatProgress, NoteCannotBreakTheLine) {
  ProgressState state = kHalf;
  state.note = "a\nb\x1b[2Jc";
  EXPECT_EQ(format_progress(state, 0, false).find_first_of("\n\x1b"), std::string::npos);
}

TEST(FormatProgressJson, HasEveryKeyAndNullForUnknown) {
  const json known = json::parse(format_progress_json(kHalf));
  EXPECT_EQ(known, json::parse(R"({"task":"train","done":50,"total":100,"unit":"step","rate":2.0,"eta_s":25.0,
                                   "note":"loss 0.0412"})"));
  const json unknown = json::parse(format_progress_json({.task = "x", .unit = "y", .note = "", .done = 3}));
  EXPECT_TRUE(unknown["total"].is_null() && unknown["rate"].is_null() && unknown["eta_s"].is_null());
  EXPECT_TRUE(json::parse(format_progress_json({.task = "\xff", .unit = "", .note = "\"\n"})).is_object());
}

TEST(Progress, QuietShowsOnlyWarnings) {
  Caught caught({.quiet = true}, true);
  {
    Progress progress("train", 10, "step");
    std::this_thread::sleep_for(110ms);
    progress.update(5);
    log_line("hello");
    warn("careful");
  }
  EXPECT_EQ(caught.text(), "warning: careful\n");
}

TEST(Progress, OfRanksTheFirstSpeaksAndAllHaveErrors) {
  const auto said = [](int64_t rank, int64_t size) {
    Caught caught({}, false);
    speak_as_rank(rank, size);
    testing::internal::CaptureStdout();
    {
      Progress progress("train", 10, "step");
      progress.update(5);
      log_line("hello");
      warn("careful");
      result_line("result");
    }
    error_line("broken");
    error_line("rank 1 of 4: named");
    speak_as_rank(0, 1);
    return testing::internal::GetCapturedStdout() + caught.text();
  };
  const std::string all = "result\nhello\nwarning: careful\ntrain  50% 5/10 step";
  EXPECT_EQ(said(1, 4), "error: rank 1 of 4: broken\nerror: rank 1 of 4: named\n");
  EXPECT_TRUE(said(0, 4).starts_with(all)) << said(0, 4);
  EXPECT_TRUE(said(0, 4).ends_with("\nerror: rank 0 of 4: broken\nerror: rank 0 of 4: rank 1 of 4: named\n"));
  EXPECT_TRUE(said(0, 1).starts_with(all));
  EXPECT_TRUE(said(0, 1).ends_with("\nerror: broken\nerror: rank 1 of 4: named\n"));
}

TEST(Progress, QuietWithJsonShowsOnlyWarningsAsJson) {
  Caught caught({.quiet = true, .json = true}, false);
  {
    Progress progress("train", 10, "step");
    progress.update(10);
    log_line("hello");
    warn("careful");
  }
  EXPECT_EQ(json::parse(caught.text()), json::parse(R"({"warning":"careful"})"));
}

TEST(Progress, WithoutTerminalOneLineInTheEnd) {
  Caught caught({}, false);
  {
    Progress progress("train", 10000, "step");
    for (int i = 1; i <= 10000; ++i) progress.update(i, "loss 1");
    EXPECT_EQ(caught.text(), "");
  }
  ASSERT_EQ(caught.lines().size(), 1U);
  EXPECT_EQ(caught.lines()[0].find("train 100% 10000/10000 step  "), 0U) << caught.text();
  EXPECT_EQ(caught.text().find_first_of("\r\x1b["), std::string::npos);
}

TEST(Progress, TerminalRedrawsInPlaceAtMostTenTimesASecond) {
  Caught caught({}, true, 60);
  const auto begin = std::chrono::steady_clock::now();
  {
    Progress progress("train", 1000, "step");
    for (int i = 1; i <= 300; ++i) {
      progress.update(i);
      std::this_thread::sleep_for(1ms);
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::string text = caught.text();
  const size_t draws = count(text, kClear);
  EXPECT_GE(draws, 3U);
  EXPECT_LE(draws, static_cast<size_t>(seconds / 0.1) + 1);
  EXPECT_EQ(count(text, "\n"), 1U);
  EXPECT_NE(text.find("300/1000 step", text.rfind('\r')), std::string::npos) << "the last state stays on the screen";
  std::istringstream in(text);
  for (std::string drawn; std::getline(in, drawn, '\r');) EXPECT_LT(characters(drawn), 60 + 4) << drawn;
}

TEST(Progress, MessageClearsTheBarAndPutsItBack) {
  Caught caught({}, true);
  {
    Progress progress("train", 10, "step");
    std::this_thread::sleep_for(110ms);
    progress.update(5);
    const std::string bar = caught.text();
    ASSERT_EQ(bar.find(kClear), 0U);
    log_line("saved");
    EXPECT_EQ(caught.text(), bar + kClear + "saved\n" + bar.substr(4));
  }
  const size_t before = caught.text().size();
  log_line("after");
  EXPECT_EQ(caught.text().substr(before), "after\n");
}

TEST(Progress, RateCountsFromTheStart) {
  Caught caught({.json = true}, false);
  const auto begin = std::chrono::steady_clock::now();
  double least = 0;
  {
    Progress progress("train", 100, "step", 50);
    for (int i = 51; i <= 60; ++i) {
      std::this_thread::sleep_for(5ms);
      progress.update(i);
    }
    least = 10 / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const json line = json::parse(caught.lines().back());
  EXPECT_EQ(line["done"], 60);
  EXPECT_GE(line["rate"].get<double>(), 0.99 * least);
  EXPECT_LE(line["rate"].get<double>(), 10 / 0.05);
  EXPECT_NEAR(line["eta_s"].get<double>(), 40 / line["rate"].get<double>(), 1e-9);
}

TEST(Progress, JsonLinesStayWholeWithManyThreads) {
  Caught caught({.json = true}, true);
  {
    Progress progress("train", 400, "step");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          log_line("message \"quoted\"");
          progress.update(i);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    warn("careful");
  }
  const auto lines = caught.lines();
  size_t messages = 0;
  for (const auto& line : lines) messages += json::parse(line).contains("message");
  EXPECT_EQ(messages, 400U);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), R"({"warning":"careful"})"), 1);
}

// What a process with this environment writes to a terminal of 60 columns.
std::string on_terminal(const char* no_color, const char* term) {
  winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("TERM", term, 1);
    setenv("NO_COLOR", no_color, 1);
    set_progress_sink({});
    {
      Progress progress("train", 10, "step");
      std::this_thread::sleep_for(110ms);
      progress.update(5);
    }
    warn("careful");
    _exit(0);
  }
  std::string text;
  char buffer[1024];
  for (ssize_t got; (got = read(terminal, buffer, sizeof buffer)) > 0;) text.append(buffer, got);
  close(terminal);
  waitpid(child, nullptr, 0);
  return text;
}

TEST(Progress, RealTerminal) {
  int terminal, other_end;
  if (openpty(&terminal, &other_end, nullptr, nullptr, nullptr) != 0)
    GTEST_SKIP() << "there are no pseudo-terminals here: " << std::strerror(errno);
  close(terminal);
  close(other_end);
  const std::string colour = on_terminal("", "xterm");
  EXPECT_NE(colour.find("\x1b[36m###"), std::string::npos) << colour;
  EXPECT_NE(colour.find("\x1b[33mwarning:"), std::string::npos) << colour;

  const std::string plain = on_terminal("1", "xterm");
  EXPECT_EQ(count(plain, "\x1b["), count(plain, kClear)) << plain;
  const size_t begin = plain.find(kClear) + 4;
  const std::string bar = plain.substr(begin, plain.find_first_of("\r\n", begin) - begin);
  EXPECT_NE(bar.find("train  50% [###"), std::string::npos) << bar;
  EXPECT_EQ(characters(bar), 59);

  EXPECT_EQ(count(on_terminal("", "dumb"), "\x1b["), 0U);
}

TEST(Messages, AreOneShortLineThatATerminalDoesNotObey) {
  Caught caught({}, false);
  warn("bad\x1b[2J\nname\xFF");
  log_line("two\nlines");
  error_line(std::string(5000, 'x'));
  const std::vector<std::string> lines = caught.lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "warning: bad\\x1b[2J\\nname\\xff");
  EXPECT_EQ(lines[1], "two\\nlines");
  EXPECT_EQ(lines[2].substr(0, 10), "error: xxx");
  EXPECT_LE(lines[2].size(), 1000u);
}

TEST(Messages, AreJsonOnRequest) {
  Caught caught({.quiet = true, .json = true}, false);
  error_line("bad\x1b\xFF");
  EXPECT_EQ(json::parse(caught.text()), json({{"error", "bad\\x1b\\xff"}}));
}

}  // namespace
}  // namespace uvic::progress_test
