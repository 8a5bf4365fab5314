#include "app/world/local_ranks.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "core/progress.h"
#include "tests/temporary.h"

namespace uvic::local_ranks_test {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

class LocalRanksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("OMP_NUM_THREADS");
    const ProgressSink sink{.file = std::tmpfile(), .terminal = false, .colour = false};
    messages_ = sink.file;
    set_progress_sink(sink);
  }
  void TearDown() override {
    set_progress_sink({});
    std::fclose(messages_);
  }

  // As ranks that each run a line of shell, in which $F is the folder.
  int run(const std::string& line, RanksConfig config, Words options = {}) const {
    Words command{"sh", "-c", "F=" + folder_.path().string() + "; " + line, "sh"};
    command.insert(command.end(), options.begin(), options.end());
    return run_local_ranks("/bin/sh", command, config);
  }
  std::string text(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string messages() const {
    std::rewind(messages_);
    std::string text;
    for (int c; (c = std::fgetc(messages_)) != EOF;) text += static_cast<char>(c);
    return text;
  }
  void await(const std::string& name) const {
    for (const auto end = Clock::now() + std::chrono::seconds(10); text(name).empty() && Clock::now() < end;)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_FALSE(text(name).empty()) << name;
  }

  TemporaryFolder folder_;
  std::FILE* messages_ = nullptr;
};

TEST_F(LocalRanksTest, EachFindsItsPlace) {
  const std::string line =
      "echo $RANK of $WORLD_SIZE, $LOCAL_RANK of $LOCAL_WORLD_SIZE, $MASTER_ADDR $TORCHELASTIC_USE_AGENT_STORE "
      "$TORCHELASTIC_RESTART_COUNT > $F/$RANK; echo $MASTER_PORT > $F/port$RANK";
  EXPECT_EQ(run(line, {.ranks = 3}), 0);
  for (int rank = 0; rank < 3; ++rank)
    EXPECT_EQ(text(std::to_string(rank)), fmt::format("{0} of 3, {0} of 3, 127.0.0.1 True 0\n", rank));
  EXPECT_EQ(text("port0"), text("port2"));
  EXPECT_GT(std::stoi(text("port0")), 0);
  EXPECT_EQ(messages(), "");
}

TEST_F(LocalRanksTest, TheyShareTheCoresUnlessTheUserSaysOtherwise) {
  const std::string line = "echo ${OMP_NUM_THREADS-unset} > $F/threads";
  run(line, {.ranks = 2});
  EXPECT_EQ(std::stoi(text("threads")), std::max(1U, std::thread::hardware_concurrency() / 2));
  run(line, {.ranks = 99});
  EXPECT_EQ(std::stoi(text("threads")), std::max(1U, std::thread::hardware_concurrency() / 99));
  for (const Words& options : {Words{"--threads", "3"}, Words{"--threads=3"}}) {
    run(line, {.ranks = 1}, options);
    EXPECT_EQ(text("threads"), "unset\n");
  }
  setenv("OMP_NUM_THREADS", "7", 1);
  run(line, {.ranks = 1});
  EXPECT_EQ(text("threads"), "7\n");
}

TEST_F(LocalRanksTest, TheFirstFailureEndsAllAndIsTheResult) {
  const auto begin = Clock::now();
  EXPECT_EQ(run("[ $RANK = 1 ] && exit 7; trap 'echo told > $F/$RANK; exit 9' TERM; while :; do sleep 0.1; done",
                {.ranks = 3}),
            7);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(messages(), "");  // it has said so itself
}

TEST_F(LocalRanksTest, OneThatDoesNotEndIsKilled) {
  const auto begin = Clock::now();
  EXPECT_EQ(run("[ $RANK = 1 ] && sleep 0.5 && exit 7; trap '' TERM; while :; do sleep 0.1; done",
                {.ranks = 2, .grace = std::chrono::seconds(1)}),
            7);
  EXPECT_GT(Clock::now() - begin, std::chrono::seconds(1));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(LocalRanksTest, OneThatASignalEndsIsNamed) {
  EXPECT_EQ(run("[ $RANK = 1 ] && kill -KILL $$; exec sleep 100", {.ranks = 2}), 128 + SIGKILL);
  EXPECT_EQ(messages(), "error: rank 1 of 2 was ended by signal 9 (Killed)\n");
}

TEST_F(LocalRanksTest, AllStartAgainAfterAFailure) {
  const std::string line =
      "N=$TORCHELASTIC_RESTART_COUNT; [ $RANK = 0 ] && echo $N >> $F/first; [ $N = 2 ] && echo $N > $F/last$RANK && "
      "exit; "
      "[ $RANK = 0 ] && exit 3; exec sleep 100";
  EXPECT_EQ(run(line, {.ranks = 2, .restarts = 5}), 0);
  EXPECT_EQ(text("first"), "0\n1\n2\n");
  EXPECT_EQ(text("last0") + text("last1"), "2\n2\n");
  EXPECT_EQ(messages(),
            "rank 0 of 2 ended with exit code 3: all ranks start again (restart 1 of 5)\n"
            "rank 0 of 2 ended with exit code 3: all ranks start again (restart 2 of 5)\n");
}

TEST_F(LocalRanksTest, RestartsHaveAnEnd) {
  EXPECT_EQ(run("echo x >> $F/runs; kill -KILL $$", {.ranks = 1, .restarts = 2}), 128 + SIGKILL);
  EXPECT_EQ(text("runs"), "x\nx\nx\n");
}

TEST_F(LocalRanksTest, WrongUsageAndInterruptsAreNoReasonToRestart) {
  for (const int code : {2, 130}) {
    EXPECT_EQ(run(fmt::format("echo x >> $F/runs{0}; exit {0}", code), {.ranks = 1, .restarts = 2}), code);
    EXPECT_EQ(text(fmt::format("runs{}", code)), "x\n");
  }
}

TEST_F(LocalRanksTest, SignalsArePassedOnAndEndIt) {
  for (const auto& [signal, name] : {std::pair(SIGINT, "INT"), std::pair(SIGTERM, "TERM"), std::pair(SIGHUP, "HUP")}) {
    const std::string line = fmt::format(
        "trap 'echo {0} > $F/{0}$RANK; exit 130' {0}; echo > $F/ready{0}$RANK; while :; do sleep 0.1; done", name);
    const pid_t launcher = fork();
    if (launcher == 0) _exit(run(line, {.ranks = 2, .restarts = 3}));
    await(fmt::format("ready{}0", name));
    await(fmt::format("ready{}1", name));
    kill(launcher, signal);
    int status = 0;
    waitpid(launcher, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 130) << name;
    for (const int rank : {0, 1}) EXPECT_EQ(text(fmt::format("{}{}", name, rank)), fmt::format("{}\n", name));
  }
}

TEST_F(LocalRanksTest, NoneOutlivesIt) {
  const pid_t launcher = fork();
  if (launcher == 0) _exit(run("echo $$ > $F/$RANK; exec sleep 100", {.ranks = 2}));
  await("0");
  await("1");
  kill(launcher, SIGKILL);
  waitpid(launcher, nullptr, 0);
  for (const char* rank : {"0", "1"}) {
    const auto runs = [&] {
      std::string state, stat;
      std::ifstream file(fmt::format("/proc/{}/stat", std::stoi(text(rank))));
      std::getline(file, stat);
      return !stat.empty() && stat.find(") Z") == std::string::npos;
    };
    for (const auto end = Clock::now() + std::chrono::seconds(5); runs() && Clock::now() < end;)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(runs()) << rank;
  }
}

TEST_F(LocalRanksTest, TheRanksHaveTheCommandWithoutTheOption) {
  EXPECT_EQ(without_ranks({"uvic", "train", "--ranks", "4", "--seed", "3", "--restarts=2", "--out", "ranks"}),
            (Words{"uvic", "train", "--seed", "3", "--out", "ranks"}));
  EXPECT_EQ(without_ranks({"uvic", "--ranks=4", "", "--restarts", "2"}), (Words{"uvic", ""}));
}

TEST_F(LocalRanksTest, OneRankIsThisProcess) {
  EXPECT_NO_THROW(LocalRanks().launch());
}

TEST_F(LocalRanksTest, ARankLaunchesNone) {
  setenv("RANK", "1", 1);
  setenv("WORLD_SIZE", "4", 1);
  setenv("MASTER_ADDR", "n1", 1);
  setenv("MASTER_PORT", "1234", 1);
  LocalRanks two;
  two.ranks = 2;
  expect_mentions(error_of([&] { two.launch(); }), {"--ranks", "rank 1 of 4", "n1:1234", "leave them out"});
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) unsetenv(name);
}

}  // namespace
}  // namespace uvic::local_ranks_test
