#include "train/world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

#include "core/error.h"
#include "tests/temporary.h"
#include "train/c10d.h"

namespace uvic::world_test {
namespace {

using std::chrono::seconds;

class Listening {
 public:
  explicit Listening(uint16_t port = 0) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.sin_port = htons(port);
    socklen_t length = sizeof(address_);
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    if (bind(socket_, address, length) != 0 || listen(socket_, 1) != 0 || getsockname(socket_, address, &length) != 0)
      ADD_FAILURE() << "cannot listen";
  }
  ~Listening() { close(socket_); }
  uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address_{};
};

Place place_of(int64_t rank, int64_t size, uint16_t port) {
  return {.rank = rank, .size = size, .local_rank = rank, .launcher = "test", .host = "127.0.0.1", .port = port};
}

// What a rank ended with: what its action returned, or its error.
struct Outcome {
  std::string text;
  double seconds = 0;  // from the start of all
};

using Act = std::function<std::string(const Place& place)>;

// Processes that are the ranks of a world.
class Ranks {
 public:
  Ranks(int64_t size, const Act& act, std::optional<uint16_t> store = {}) : begin_(std::chrono::steady_clock::now()) {
    const uint16_t port = store ? *store : Listening().port();
    for (int64_t rank = 0; rank < size; ++rank) {
      int ends[2];
      EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
      const pid_t pid = fork();
      if (pid == 0) {
        Place place = place_of(rank, size, port);
        place.launcher_has_store = store.has_value();
        run(place, act, ends[1]);
      }
      close(ends[1]);
      children_.push_back({pid, ends[0]});
    }
  }
  ~Ranks() {
    if (getpid() == owner_ && !children_.empty()) join();  // not in a child, which has a copy
  }
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  void send(int64_t rank, int signal) const { kill(children_[rank].pid, signal); }

  // Of those that stopped themselves, too, which are killed last.
  std::vector<Outcome> join() {
    std::vector<Outcome> outcomes;
    std::vector<Child> stopped;
    for (const Child& child : children_) {
      int status = 0;
      waitpid(child.pid, &status, WUNTRACED);
      outcomes.emplace_back();
      if (WIFSTOPPED(status)) stopped.push_back(child);
      if (WIFSTOPPED(status)) continue;
      EXPECT_TRUE(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL) << status;
      char buffer[4096];
      const ssize_t length = read(child.output, buffer, sizeof(buffer));
      if (length > 8) {
        std::memcpy(&outcomes.back().seconds, buffer, 8);
        outcomes.back().text.assign(buffer + 8, length - 8);
      }
      close(child.output);
    }
    for (const Child& child : stopped) {
      kill(child.pid, SIGKILL);
      waitpid(child.pid, nullptr, 0);
      close(child.output);
    }
    children_.clear();
    return outcomes;
  }

 private:
  struct Child {
    pid_t pid;
    int output;
  };

  [[noreturn]] void run(const Place& place, const Act& act, int output) const {
    constexpr unsigned kLongest = 40;
    alarm(kLongest);
    std::string text(8, ' ');
    try {
      text += act(place);
    } catch (const std::exception& error) {
      text += std::string("error: ") + error.what();
    }
    const double lasted = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    std::memcpy(text.data(), &lasted, 8);
    std::exit(write(output, text.data(), text.size()) < 0);  // as a program ends, with all that is left of the world
  }

  pid_t owner_ = getpid();
  std::chrono::steady_clock::time_point begin_;
  std::vector<Child> children_;
};

// A process with a store, as torchrun is one. The threads of a store would not be in processes that fork off here.
class Launcher {
 public:
  Launcher() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const RankStore store = RankStore::serve(0, true);
      const uint16_t port = store.port();
      _exit(write(ends[1], &port, sizeof(port)) > 0 ? pause() : 1);
    }
    EXPECT_EQ(read(ends[0], &port_, sizeof(port_)), ssize_t{sizeof(port_)});
    close(ends[0]);
    close(ends[1]);
  }
  ~Launcher() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  uint16_t port() const { return port_; }

 private:
  pid_t pid_ = 0;
  uint16_t port_ = 0;
};

void expect_all(const std::vector<Outcome>& outcomes, const std::string& text) {
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.text, text);
}

// Of ranks that are named, each of which says so of itself.
void expect_said(const std::vector<Outcome>& outcomes, std::initializer_list<int64_t> ranks,
                 std::initializer_list<std::string_view> parts, double within) {
  for (const int64_t rank : ranks) {
    expect_mentions(outcomes[rank].text, parts);
    expect_mentions(outcomes[rank].text, {fmt::format("error: rank {} of {}: ", rank, outcomes.size())});
    EXPECT_EQ(outcomes[rank].text.find('\n'), std::string::npos) << outcomes[rank].text;
    EXPECT_LT(outcomes[rank].seconds, within) << outcomes[rank].text;
  }
}

std::string as_text(const Tensor& tensor) {
  const Tensor values = tensor.to(at::kDouble).contiguous();
  std::string text;
  for (const double value : std::span(values.const_data_ptr<double>(), values.numel()))
    text += fmt::format("{} ", value);
  return text;
}

std::string do_all(const Place& place) {
  const World world(place, seconds(20));
  const auto mine = static_cast<double>(world.rank() + 1);
  const std::vector<Tensor> tensors{at::full({3}, mine, at::kFloat),        at::full({2}, mine, at::kLong),
                                    at::full({2, 2}, mine, at::kFloat).t(), at::full({}, mine, at::kDouble),
                                    at::full({0}, mine, at::kFloat),        at::full({4}, mine, at::kBFloat16)};
  world.all_reduce(tensors);
  std::string said;
  for (const Tensor& tensor : tensors) said += as_text(tensor);

  const Tensor a = at::full({2}, mine), b = at::full({3}, 10 * mine);
  World::Pending pending_a = world.start_all_reduce(a), pending_b = world.start_all_reduce(b);
  pending_b.wait();
  pending_a.wait();
  said += "| " + as_text(a) + as_text(b);

  Tensor weight = at::full({2, 3}, mine).requires_grad_();
  const Tensor flags = at::full({2}, world.rank() == world.size() - 1, at::kBool);
  world.broadcast({{weight, flags}}, world.size() - 1);
  said += "| " + as_text(weight.detach()) + as_text(flags) + "|";

  for (int64_t root = 0; root < world.size(); ++root) {  // of which each has other matrices, the first one none
    const int64_t rows = world.rank() * 5000;            // in more than one piece
    const auto theirs = world.of_rank(
        root, {at::full({rows, world.rank()}, mine, world.rank() == 1 ? at::kDouble : at::kFloat), at::empty({0, 0})});
    const Tensor& matrix = theirs.at(0);
    said += fmt::format(" {}x{} {} {}", matrix.size(0), matrix.size(1), at::toString(matrix.scalar_type()),
                        matrix.sum().item<double>());
  }
  said += "|";

  world.barrier();
  for (const std::string& text : world.gather(std::string(world.rank(), 'x') + "\n")) said += text;
  for (const std::string& text : world.gather_lists(std::vector<std::string>(world.rank(), "a\nb"))) said += "," + text;
  world.expect_equal("config", "the same");
  return said;
}

std::string expected_of(int64_t size) {
  const int64_t sum = size * (size + 1) / 2;
  std::string said;
  for (const int64_t count : {3, 2, 4, 1, 4})
    for (int64_t i = 0; i < count; ++i) said += fmt::format("{} ", sum);
  said += fmt::format("| {0} {0} {1} {1} {1} | {2} {2} {2} {2} {2} {2} 1 1 |", sum, 10 * sum, size);
  for (int64_t rank = 0; rank < size; ++rank)
    said +=
        fmt::format(" {}x{} {} {}", 5000 * rank, rank, rank == 1 ? "Double" : "Float", 5000 * rank * rank * (rank + 1));
  said += "|";
  for (int64_t rank = 0; rank < size; ++rank) said += std::string(rank, 'x') + "\n";
  for (int64_t i = 0; i < size * (size - 1) / 2; ++i) said += ",a\nb";
  return said;
}

TEST(World, OfOneIsRealAndWaitsForNobody) {
  const World world;
  EXPECT_EQ(world.rank(), 0);
  EXPECT_EQ(world.size(), 1);
  EXPECT_EQ(world.local_rank(), 0);
  expect_all(Ranks(1, do_all).join(), expected_of(1));
  expect_all(Ranks(1, [](const Place&) { return do_all(Place()); }).join(), expected_of(1));
}

TEST(World, SumsBroadcastsAndGathersAmongTwoToFour) {
  for (const int64_t size : {2, 3, 4}) expect_all(Ranks(size, do_all).join(), expected_of(size));
}

TEST(World, MeetsAtTheLaunchersStoreAndAgainAfterARestart) {
  const Launcher launcher;
  expect_all(Ranks(2, do_all, launcher.port()).join(), expected_of(2));
  const auto again = [](Place place) {
    place.restarts = 1;
    return do_all(place);
  };
  expect_all(Ranks(2, again, launcher.port()).join(), expected_of(2));
}

TEST(World, AProcessMayHaveSeveral) {
  const Launcher launcher;
  expect_all(Ranks(
                 2, [](const Place& place) { return do_all(place) + do_all(place); }, launcher.port())
                 .join(),
             expected_of(2) + expected_of(2));
}

TEST(World, SumsOfManyPiecesHaveTheSameBitsOnAllRanks) {
  const auto act = [](const Place& place) {
    const World world(place, seconds(20));
    std::vector<Tensor> tensors;  // together more than one piece
    for (int64_t i = 0; i < 5; ++i)
      tensors.push_back(at::arange((3 << 20) + i, at::kFloat).add(0.1 * static_cast<double>(world.rank())).sin());
    world.all_reduce(tensors);
    double sum = 0;
    uint32_t bits = 0;
    for (const Tensor& tensor : tensors)
      for (const float value : std::span(tensor.const_data_ptr<float>(), tensor.numel()))
        sum += value, bits = bits * 31 + std::bit_cast<uint32_t>(value);
    return fmt::format("{} {}", bits, sum);
  };
  const auto outcomes = Ranks(3, act).join();
  expect_all(outcomes, outcomes[0].text);
  EXPECT_EQ(outcomes[0].text.find("error"), std::string::npos) << outcomes[0].text;
}

// ---- How worlds end. All of these begin at once, as they wait for most of the time.

constexpr seconds kTimeout{2};
constexpr double kEnd = 2 + 10;

std::string sum_until_parted(const World& world) {
  const Tensor ones = at::ones({1000});
  for (int i = 0; i < 100000; ++i) world.all_reduce({{ones}});
  return "never parted";
}

Act until_parted(int64_t rank, std::function<void(const World&)> act) {
  return [=](const Place& place) {
    const World world(place, kTimeout);
    for (int i = 0; i < 3; ++i) world.barrier();
    if (world.rank() == rank) act(world);
    return sum_until_parted(world);
  };
}

void raise_in(const World&, int signal) {
  kill(getpid(), signal);
}

class Parting : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    using namespace std::placeholders;
    begin("killed", 3, until_parted(2, std::bind(raise_in, _1, SIGKILL)));
    begin("first killed", 3, until_parted(0, std::bind(raise_in, _1, SIGKILL)));
    begin("stopped", 3, until_parted(1, std::bind(raise_in, _1, SIGSTOP)));
    begin("first stopped", 2, until_parted(0, std::bind(raise_in, _1, SIGSTOP)));
    begin("left", 3, until_parted(1, [](const World& world) {
            world.leave("step 7: the loss is not finite");
            fail("what it says itself");
          }));
    begin("slow", 2, until_parted(1, [](const World&) { std::this_thread::sleep_for(seconds(4)); }));
    begin("ended", 3, until_parted(2, [](const World&) { throw std::runtime_error("gone home"); }));
    begin("unawaited", 2, [](const Place& place) {
      const World world(place, seconds(20));
      const Tensor ones = at::ones({1000});
      if (world.rank() == 1) std::this_thread::sleep_for(seconds(2));
      const auto pending = world.start_all_reduce(ones);
      if (world.rank() == 0) throw std::runtime_error("gone home");
      return sum_until_parted(world);
    });
    begin("patient", 2, [](const Place& place) {
      const World world(place, seconds(1));
      if (world.rank() == 0) std::this_thread::sleep_for(seconds(3));
      world.barrier(seconds(20));
      return std::string("waited");
    });
    for (const auto& [name, stopped] : {std::pair("stopped at leisure", 1), {"first stopped at leisure", 0}})
      begin(name, 3, [stopped](const Place& place) {
        const World world(place, kTimeout);
        if (world.rank() == stopped) raise_in(world, SIGSTOP);
        world.barrier(std::chrono::hours(1));
        return std::string("waited");
      });
    begin("one is missing", 4, [](const Place& place) {
      if (place.rank == 1 || place.rank == 3) return std::string("stays away");
      const World world(place, kTimeout);
      return std::string("met");
    });
    begin("first is missing", 2, [](const Place& place) {
      if (place.rank == 0) return std::string("stays away");
      const World world(place, kTimeout);
      return std::string("met");
    });
    begin("unknown host", 2, [](Place place) {
      if (place.rank == 0) return std::string("stays away");
      place.host = "no-such-host.invalid";
      const World world(place, kTimeout);
      return std::string("met");
    });
    begin("two of a kind", 3, [](Place place) {
      if (place.rank == 2) std::this_thread::sleep_for(seconds(1));
      place = place_of(std::min<int64_t>(place.rank, 1), 3, place.port);
      const World world(place, kTimeout);
      return std::string("met");
    });
    begin("other builds", 3, [](Place place) {
      if (place.rank == 1) place.build = "uvic 9.9";
      const World world(place, kTimeout);
      return std::string("met");
    });
    begin("other texts", 3, [](const Place& place) {
      const World world(place, kTimeout);
      world.expect_equal("the config", place.rank == 2 ? "[train]\nlr = 0.2\nx" : "[train]\nlr = 0.1\nx");
      return std::string("equal");
    });
  }
  static void TearDownTestSuite() { worlds_.clear(); }
  static void begin(const std::string& name, int64_t size, const Act& act) {
    worlds_[name] = std::make_unique<Ranks>(size, act);
  }
  static std::vector<Outcome> end(const std::string& name) { return worlds_.at(name)->join(); }
  static std::map<std::string, std::unique_ptr<Ranks>> worlds_;
};
std::map<std::string, std::unique_ptr<Ranks>> Parting::worlds_;

TEST_F(Parting, ARankThatIsKilledIsNamed) {
  expect_said(end("killed"), {0, 1}, {"rank 2 is gone or does not answer"}, kEnd);
}

TEST_F(Parting, SoIsTheFirstWhichHoldsTheStore) {
  expect_said(end("first killed"), {1, 2}, {"rank 0, which holds what the ranks share at 127.0.0.1:", "is gone"}, kEnd);
}

TEST_F(Parting, ARankThatIsStoppedIsNamed) {
  expect_said(end("stopped"), {0, 2}, {"rank 1 is gone or does not answer"}, kEnd);
}

TEST_F(Parting, SoIsTheFirst) {
  expect_said(end("first stopped"), {1}, {"rank 0, which holds what the ranks share", "does not answer"}, kEnd);
}

TEST_F(Parting, ARankThatLeavesSaysWhy) {
  const auto outcomes = end("left");
  expect_said(outcomes, {0, 2}, {"rank 1 stopped: step 7: the loss is not finite"}, kEnd);
  EXPECT_EQ(outcomes[1].text, "error: what it says itself");
}

TEST_F(Parting, ARankThatIsSlowIsNamed) {
  expect_said(end("slow"), {0, 1}, {"rank 1 is at work but did not come"}, kEnd);
}

TEST_F(Parting, ARankThatEndsWithoutAWordIsNamed) {
  expect_said(end("ended"), {0, 1}, {"rank 2 ended while others went on"}, kEnd);
}

TEST_F(Parting, WhatIsUnderWayKeepsNobodyFromEnding) {
  const auto outcomes = end("unawaited");
  EXPECT_EQ(outcomes[0].text, "error: gone home");
  EXPECT_LT(outcomes[0].seconds, kEnd);
  expect_said(outcomes, {1}, {"rank 0"}, kEnd);
}

TEST_F(Parting, ABarrierMayBeMorePatient) {
  expect_all(end("patient"), "waited");
}

TEST_F(Parting, ButNotWithARankThatIsSilent) {
  expect_said(end("stopped at leisure"), {0, 2}, {"rank 1 is gone or does not answer"}, kEnd);
  expect_said(end("first stopped at leisure"), {1, 2}, {"rank 0, which holds what the ranks share"}, kEnd);
}

TEST_F(Parting, MissingRanksAreNamed) {
  expect_said(end("one is missing"), {0, 2},
              {"ranks 1 and 3 did not come to 127.0.0.1:", "within 2 s, ranks 0 and 2 did", "start all 4 ranks"}, kEnd);
}

TEST_F(Parting, WithoutTheFirstNobodyAnswers) {
  expect_said(end("first is missing"), {1}, {"nobody answers at 127.0.0.1:", "within 2 s", "is rank 0"}, kEnd);
}

TEST_F(Parting, DifferentBuildsAreRefusedByAll) {
  expect_said(end("other builds"), {0, 1, 2},
              {"rank 1 has 'uvic 9.9'", "ranks 0 and 2 have 'uvic 0", "the same program"}, kEnd);
}

TEST_F(Parting, DifferentTextsAreRefusedByAll) {
  expect_said(end("other texts"), {0, 1, 2},
              {"the config differs between ranks", "ranks 0 and 1 have 'lr = 0.1', rank 2 has 'lr = 0.2'"}, kEnd);
}

TEST(Meeting, APortInUseIsNamed) {
  const Listening other;
  const auto outcome = Ranks(1, [&](Place place) {
                         place = place_of(0, 2, other.port());
                         return World(place, kTimeout), std::string("met");
                       }).join();
  expect_mentions(outcome[0].text, {"rank 0 of 2: port", fmt::to_string(other.port()), "is in use", "MASTER_PORT"});
}

TEST_F(Parting, AHostThatIsUnknownIsNamed) {
  expect_said(end("unknown host"), {1}, {"no-such-host.invalid", "MASTER_ADDR"}, kEnd);
}

TEST_F(Parting, TwoProcessesOfOneRankAreRefused) {
  expect_mentions(end("two of a kind")[2].text, {"rank 1 of 3: process ", "came to 127.0.0.1:", "as the same rank"});
}

}  // namespace
}  // namespace uvic::world_test
